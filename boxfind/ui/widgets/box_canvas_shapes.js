// Put the picture, the boxes, their handles and the dots at their places on the surface.

const HANDLES = ["n", "e", "s", "w", "nw", "ne", "se", "sw"]; // corners last, so that they win where they overlap
const ROOMY = 80; // the handles of a box smaller than this, in CSS pixels, move outwards, so that it can be grabbed
const SAME = 0.7; // a dot whose box overlaps a drawn box this much is hidden
const HELP = "Arrow keys move it, with Shift they resize it, Delete removes it";

function draw(canvas) {
  const { svg, picture, room, view, data } = canvas;
  if (!view) return;
  svg.setAttribute("viewBox", [view.x, view.y, room[0] / view.scale, room[1] / view.scale].join(" "));
  svg.ariaLabel = data.label;
  set(picture, { width: data.size[0], height: data.size[1] });
  if (picture.address !== data.address) loadPicture(picture, data.address);
  drawBoxes(canvas);
  drawHandles(canvas);
  drawDots(canvas);
  drawBars(canvas);
}

function drawBoxes(canvas) {
  const { boxes, active, data } = canvas;
  const items = children(canvas.groups.boxes, boxes.length, () =>
    shape("g", { class: "box", tabindex: 0, role: "button", "aria-description": HELP }, [
      ...outline({}, canvas.data.colours, 0),
      shape("g", { class: "number" }, [shape("rect", { width: 20, height: 20 }), shape("text", { x: 10, y: 15 })]),
    ]),
  );
  boxes.forEach((box, index) => {
    const [casing, line, number] = items[index].children;
    const label = data.several ? (data.numbers[index] ?? "") : "";
    const colour = colourOf(canvas, index);
    const place = { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] };
    set(casing, place);
    set(line, { ...place, stroke: colour, fill: colour });
    items[index].style.cursor = fillsView(canvas, box) ? "crosshair" : "move";
    items[index].classList.toggle("active", index === active);
    items[index].ariaLabel = `Box ${data.numbers[index] ?? index + 1}, ${described(box)}`;
    number.setAttribute("visibility", label === "" ? "hidden" : "visible");
    number.firstChild.setAttribute("fill", colour);
    number.lastChild.textContent = label;
    anchor(canvas, number, box[0], box[1]);
  });
}

function colourOf({ data }, index) {
  return data.colours[clamp((data.numbers[index] ?? index + 1) - 1, 0, data.colours.length - 1)];
}

function drawHandles(canvas) {
  const { groups, boxes, active, view } = canvas;
  const items = children(groups.handles, HANDLES.length, (index) =>
    shape("g", { class: "handle", "data-edges": HANDLES[index] }, [
      shape("rect", { class: "hit", x: -14, y: -14, width: 28, height: 28 }),
      shape("circle", { class: "knob", r: 5 }),
    ]),
  );
  const box = boxes[active];
  set(groups.handles, { visibility: box ? "visible" : "hidden", stroke: colourOf(canvas, active) });
  if (!box) return;
  const visible = visiblePart(canvas);
  const inset = 8 / view.scale;
  items.forEach((item) => {
    const edges = item.dataset.edges;
    const [x, y] = [0, 1].map((axis) => {
      const outwards = clamp((ROOMY - (box[axis + 2] - box[axis]) * view.scale) / 4, 0, 14) / view.scale;
      const side = edges.includes("wn"[axis]) ? -1 : edges.includes("es"[axis]) ? 1 : 0;
      const middle = (box[axis] + box[axis + 2]) / 2;
      const place = [box[axis] - outwards, middle, box[axis + 2] + outwards][side + 1];
      const [least, most] = [visible[axis] + inset, visible[axis + 2] - inset];
      const shown = side && box[axis] < visible[axis + 2] && box[axis + 2] > visible[axis];
      return shown ? nearEnd(place, least, most, inset) : place;
    });
    anchor(canvas, item, x, y);
  });
}

// A handle at the border of the visible part moves inside, so that it can be grabbed.
function nearEnd(place, least, most, inset) {
  const close = (end) => Math.abs(place - end) <= 3 * inset;
  return close(least) || close(most) ? clamp(place, least, most) : place;
}

function drawDots(canvas) {
  const { groups, boxes, data } = canvas;
  const items = children(groups.dots, data.dots.length, () =>
    shape("g", { class: "dot", tabindex: 0, role: "button" }, [
      shape("rect", { class: "casing" }),
      shape("rect", { class: "outline" }),
      shape("g", {}, [shape("circle", { class: "hit", r: 14 }), shape("circle", { class: "spot", r: 6 })]),
    ]),
  );
  data.dots.forEach((box, index) => {
    const [casing, outline, spot] = items[index].children;
    items[index].ariaLabel = `Search for what stands out here, ${described(box)}`;
    items[index].style.display = boxes.some((other) => overlap(box, other) > SAME) ? "none" : "";
    const place = { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] };
    set(casing, place);
    set(outline, place);
    anchor(canvas, spot, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2);
  });
}

function drawBars({ bars, buttons, room, view, data }) {
  [bars.across, bars.down].forEach((bar, axis) => {
    const [start, length] = [[view.x, view.y][axis] / data.size[axis], room[axis] / view.scale / data.size[axis]];
    bar.hidden = length >= 0.999;
    const [from, to] = [clamp(start, 0, 1), clamp(start + length, 0, 1)];
    bar.firstElementChild.style[axis ? "top" : "left"] = `${100 * from}%`;
    bar.firstElementChild.style[axis ? "height" : "width"] = `${100 * (to - from)}%`;
  });
  buttons.out.hidden = buttons.fit.hidden = !isEnlarged({ room, view, data });
}

// Place a group whose shapes are in CSS pixels at a point of the picture.
function anchor({ view }, group, x, y) {
  group.setAttribute("transform", `translate(${x} ${y}) scale(${1 / view.scale})`);
}

// The children of a group, as many as wanted. Existing ones stay, with their focus.
function children(group, count, make) {
  while (group.children.length > count) group.lastChild.remove();
  while (group.children.length < count) group.append(make(group.children.length));
  return [...group.children];
}

function described([x0, y0, x1, y1]) {
  const [x, y, width, height] = [x0, y0, x1 - x0, y1 - y0].map(Math.round);
  return `${width} x ${height} pixels at ${x}, ${y}`;
}

// Intersection over union.
function overlap(one, other) {
  const area = ([x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
  const common = area(intersection(one, other));
  return common / (area(one) + area(other) - common);
}

function intersection(one, other) {
  return [
    Math.max(one[0], other[0]),
    Math.max(one[1], other[1]),
    Math.min(one[2], other[2]),
    Math.min(one[3], other[3]),
  ];
}

// Whether a box covers most of what is visible, so that a drag inside it starts a new box.
function fillsView(canvas, box) {
  return overlap(intersection(box, visiblePart(canvas)), visiblePart(canvas)) > 0.85;
}
