// What the pointers do: draw, move and resize boxes, choose dots, zoom and pan.

const CLICK = 6; // a drag shorter than this, in CSS pixels, is a click
const SNAP = 5; // edges this close to the border of the picture, in CSS pixels, snap to it

function listen(canvas) {
  const { svg, bars } = canvas;
  svg.onpointerdown = (event) => press(canvas, event);
  svg.onpointermove = (event) => drag(canvas, event);
  svg.onpointerup = (event) => release(canvas, event);
  svg.onpointercancel = (event) => interrupt(canvas, event);
  svg.onkeydown = (event) => typeKey(canvas, event);
  svg.onkeyup = (event) => event.key === " " && svg.classList.remove("panning");
  svg.addEventListener("focusin", (event) => activate(canvas, boxIndex(event.target)));
  svg.addEventListener("focusout", () => {
    svg.classList.remove("panning");
    if (canvas.unsent) send(canvas);
  });
  svg.addEventListener("wheel", (event) => turnWheel(canvas, event), { passive: false });
  listenToButtons(canvas);
  [bars.across, bars.down].forEach((bar, axis) => {
    bar.onpointerdown = bar.onpointermove = (event) => dragBar(canvas, bar, axis, event);
  });
}

function press(canvas, event) {
  const { svg, pointers } = canvas;
  if (event.button > 1 || pointers.size > 1) return;
  svg.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, pointOf(canvas, event));
  if (pointers.size > 1) {
    cancel(canvas);
    canvas.gesture = { kind: "pinch" };
  } else {
    if (canvas.unsent) send(canvas);
    canvas.gesture = gestureAt(canvas, event);
  }
  if (canvas.gesture.kind === "pan") event.preventDefault(); // no automatic scrolling with the middle button
}

// The gesture that a drag from here would be.
function gestureAt(canvas, event) {
  const from = pointOf(canvas, event);
  const start = { pointer: event.pointerId, from, last: from, moved: false, before: canvas.boxes };
  if (event.button === 1 || canvas.svg.classList.contains("panning")) return { ...start, kind: "pan" };
  const edges = event.target.closest(".handle")?.dataset.edges;
  if (edges) return { ...start, kind: "resize", index: canvas.active, edges };
  const dot = [...canvas.groups.dots.children].indexOf(event.target.closest(".dot"));
  const index = event.shiftKey ? -1 : boxAt(canvas, toPicture(canvas, from));
  const kind = index < 0 ? "draw" : "move";
  return { ...start, kind, index, dot: canvas.data.dots[dot] };
}

// The box at a point of the picture, the active one first; -1 if there is none that can be moved.
function boxAt(canvas, [x, y]) {
  const { boxes, active } = canvas;
  const inside = (box) => box && x >= box[0] && x < box[2] && y >= box[1] && y < box[3] && !fillsView(canvas, box);
  return inside(boxes[active]) ? active : boxes.findLastIndex(inside);
}

function drag(canvas, event) {
  const { gesture, pointers } = canvas;
  if (!gesture || !pointers.has(event.pointerId)) return;
  const point = pointOf(canvas, event);
  if (gesture.kind === "pinch") return pinch(canvas, event.pointerId, point);
  pointers.set(event.pointerId, point);
  gesture.moved ||= Math.hypot(point[0] - gesture.from[0], point[1] - gesture.from[1]) >= CLICK;
  if (!gesture.moved) return;
  canvas.surface.classList.add("busy");
  if (gesture.kind === "pan") {
    pan(canvas, gesture.last[0] - point[0], gesture.last[1] - point[1]);
    gesture.last = point;
    return;
  }
  canvas.boxes = dragged(canvas, gesture, point);
  if (gesture.kind !== "draw") canvas.active = gesture.index;
  else canvas.active = canvas.boxes === gesture.before ? canvas.active : canvas.boxes.length - 1;
  draw(canvas);
}

// The boxes after a drag to this point.
function dragged(canvas, { kind, index, edges, from, before }, point) {
  const { data, view } = canvas;
  const by = [0, 1].map((axis) => (point[axis] - from[axis]) / view.scale);
  if (kind === "draw") {
    if (data.several && before.length >= data.most) return before;
    const box = tidy(canvas, [...toPicture(canvas, from), ...toPicture(canvas, point)]);
    return data.several ? [...before, box] : [box];
  }
  const box = kind === "move" ? moved(canvas, before[index], by) : resizedBox(canvas, before[index], edges, by);
  return before.map((other, place) => (place === index ? box : other));
}

function moved({ data, view }, box, by) {
  const shift = [0, 1].map((axis) => {
    const [least, most] = [-box[axis], data.size[axis] - box[axis + 2]];
    const near = (end) => Math.abs(by[axis] - end) * view.scale < SNAP;
    return near(least) ? least : near(most) ? most : clamp(by[axis], least, most);
  });
  return box.map((edge, place) => edge + shift[place % 2]);
}

function resizedBox(canvas, box, edges, by) {
  return tidy(
    canvas,
    box.map((edge, place) => edge + (edges.includes("wnes"[place]) ? by[place % 2] : 0)),
  );
}

// Order the edges of a box and bring them into the picture; edges near its border snap to it.
function tidy({ data, view }, [ax, ay, bx, by]) {
  const ends = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  return ends.map((edge, place) => {
    const size = data.size[place % 2];
    const near = (end) => Math.abs(edge - end) * view.scale < SNAP;
    return near(0) ? 0 : near(size) ? size : clamp(edge, 0, size);
  });
}

function release(canvas, event) {
  const { gesture, pointers } = canvas;
  if (!pointers.delete(event.pointerId) || !gesture) return;
  if (gesture.kind === "pinch") {
    if (!pointers.size) finish(canvas);
    return;
  }
  finish(canvas);
  if (gesture.kind === "pan") return;
  if (gesture.moved) settle(canvas, gesture);
  else if (gesture.dot) addBox(canvas, gesture.dot);
  else canvas.active = gesture.index < 0 ? canvas.active : gesture.index;
  takeBoxes(canvas);
  draw(canvas);
  if (gesture.moved || gesture.index >= 0) canvas.groups.boxes.children[canvas.active]?.focus({ preventScroll: true });
}

// Report the dragged box. One that is too thin to be meant is dropped; one of too few pixels grows.
function settle(canvas, { before }) {
  const { boxes, active, data, view } = canvas;
  const box = boxes[active];
  if (boxes === before || !box) return;
  const thin = Math.min(box[2] - box[0], box[3] - box[1]) * view.scale < CLICK;
  if (thin) {
    canvas.boxes = before;
    canvas.active = before.length - 1;
  } else {
    canvas.boxes = boxes.map((other) => (other === box ? grown(box, data) : other));
    send(canvas);
  }
}

function grown(box, { size, smallest }) {
  const edges = [...box];
  for (const axis of [0, 1]) {
    const lack = Math.max(smallest - (Math.floor(box[axis + 2]) - Math.ceil(box[axis])), 0);
    const start = clamp(box[axis] - lack / 2, 0, Math.max(size[axis] - smallest, 0));
    edges[axis] = lack ? Math.floor(start) : box[axis];
    edges[axis + 2] = lack ? Math.min(edges[axis] + smallest, size[axis]) : box[axis + 2];
  }
  return edges;
}

function interrupt(canvas, event) {
  canvas.pointers.delete(event.pointerId);
  cancel(canvas);
}

// Undo a drag that goes on.
function cancel(canvas) {
  if (canvas.gesture?.before) canvas.boxes = canvas.gesture.before;
  canvas.active = Math.min(canvas.active, canvas.boxes.length - 1);
  finish(canvas);
  takeBoxes(canvas);
  draw(canvas);
}

function finish(canvas) {
  canvas.gesture = null;
  canvas.surface.classList.remove("busy");
}

// With Ctrl the wheel zooms, as do two fingers on a touchpad. Alone it moves an enlarged picture until that is at its
// end, and otherwise scrolls the page.
function turnWheel(canvas, event) {
  const [across, down] = turned(event);
  if (event.ctrlKey || event.metaKey) zoomByWheel(canvas, event);
  else if (event.shiftKey && !across ? pan(canvas, down, 0) : pan(canvas, across, down)) event.preventDefault();
}

function dragBar(canvas, bar, axis, event) {
  if (!(event.buttons & 1)) return;
  bar.setPointerCapture(event.pointerId);
  const place = bar.getBoundingClientRect();
  const share = axis ? (event.clientY - place.top) / place.height : (event.clientX - place.left) / place.width;
  const { view, room, data } = canvas;
  const by = share * data.size[axis] - room[axis] / view.scale / 2 - [view.x, view.y][axis];
  pan(canvas, axis ? 0 : by * view.scale, axis ? by * view.scale : 0);
}

function activate(canvas, index) {
  if (index < 0 || index === canvas.active) return;
  canvas.active = index;
  draw(canvas);
}

function boxIndex(element) {
  const box = element.closest(".box");
  return box ? [...box.parentNode.children].indexOf(box) : -1;
}
