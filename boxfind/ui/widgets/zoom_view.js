// What is visible of the picture: { x, y, scale }. x and y are the pixel of the original in the top left corner of the
// surface, and scale is the number of CSS pixels for a pixel of the original. The canvas and the picture view use it.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MOST_SCALE = 16;
const MARGIN = 24; // CSS pixels that can be scrolled beyond an edge of an enlarged picture, clear of bars and buttons

function fitScale([width, height], size) {
  return Math.min(width / size[0], height / size[1]);
}

function isEnlarged({ view, room, data }) {
  return view.scale > fitScale(room, data.size) * 1.001;
}

// The view moved so that the picture fills the surface, or is centred where it is smaller.
function within(shown, { x, y, scale }) {
  const { room, data } = shown;
  const place = (start, axis) => {
    const spare = data.size[axis] - room[axis] / scale;
    return spare * scale < 1 ? spare / 2 : clamp(start, -MARGIN / scale, spare + MARGIN / scale);
  };
  return { x: place(x, 0), y: place(y, 1), scale };
}

// Enlarge by a factor around a point of the surface.
function zoom(shown, factor, [across, down] = shown.room.map((side) => side / 2)) {
  const { x, y, scale } = shown.view;
  const fit = fitScale(shown.room, shown.data.size);
  const enlarged = clamp(scale * factor, fit, Math.max(MOST_SCALE, fit));
  const shift = 1 / scale - 1 / enlarged;
  shown.view = within(shown, { x: x + across * shift, y: y + down * shift, scale: enlarged });
  draw(shown);
}

// Move the view by CSS pixels; false if it is at its end.
function pan(shown, across, down) {
  const { x, y, scale } = shown.view;
  const moved = within(shown, { x: x + across / scale, y: y + down / scale, scale });
  const changed = Math.abs(moved.x - x) * scale > 0.5 || Math.abs(moved.y - y) * scale > 0.5;
  shown.view = moved;
  if (changed) draw(shown);
  return changed;
}

function showAll(shown) {
  shown.view = within(shown, { x: 0, y: 0, scale: fitScale(shown.room, shown.data.size) });
  draw(shown);
}

function listenToButtons(shown) {
  shown.surface.querySelector(".zoom").onclick = ({ target }) => {
    const kind = target.closest("button")?.dataset.zoom;
    if (kind === "fit") showAll(shown);
    else if (kind) zoom(shown, kind === "in" ? 1.6 : 1 / 1.6);
  };
}

// Two fingers zoom and pan.
function pinch(shown, pointer, point) {
  const { pointers } = shown;
  const before = [...pointers.values()];
  pointers.set(pointer, point);
  const after = [...pointers.values()];
  if (after.length < 2) return;
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const distance = ([a, b]) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
  const [from, to] = [middle(before), middle(after)];
  zoom(shown, distance(after) / distance(before), from);
  pan(shown, from[0] - to[0], from[1] - to[1]);
}

// CSS pixels that the wheel has turned.
function turned(event) {
  return [event.deltaX, event.deltaY].map((delta) => delta * (event.deltaMode ? 16 : 1));
}

function zoomByWheel(shown, event) {
  event.preventDefault();
  zoom(shown, Math.exp(-clamp(turned(event)[1], -30, 30) / 100), pointOf(shown, event));
}

// The position of a pointer in CSS pixels of the surface.
function pointOf({ svg }, event) {
  const place = svg.getBoundingClientRect();
  return [event.clientX - place.left, event.clientY - place.top];
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
