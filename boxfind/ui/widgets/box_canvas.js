// Draw, move and resize boxes on a picture, and report every finished edit. box_canvas.py documents the data.
// The other box_canvas_*.js files, zoom_view.js, load_picture.js and svg.js belong to the same module.

const THIN = 120; // a picture whose short side would be thinner than this, in CSS pixels, starts enlarged …
const THICK = 200; // … so that its short side has this size
const PATIENCE = 3000; // milliseconds for which boxes from before an edit are taken for outdated

// Streamlit calls this on every change of data or theme; each call updates the existing elements.
export default function ({ data, parentElement, setTriggerValue }) {
  const surface = parentElement.querySelector(".surface");
  const canvas = (surface.canvas ??= createCanvas(surface));
  canvas.report = (edit) => setTriggerValue("edited", edit);
  const another = canvas.data?.picture !== data.picture;
  canvas.data = data;
  if (canvas.picture.failed) canvas.picture.address = ""; // it is loaded again
  if (another) {
    clearTimeout(canvas.unsent);
    Object.assign(canvas, { view: null, gesture: null, unsent: null, sent: null });
    surface.style.setProperty("--ratio", data.size[0] / data.size[1]);
    resized(canvas);
  }
  takeBoxes(canvas);
  draw(canvas);
}

function createCanvas(surface) {
  const find = (selector) => surface.querySelector(selector);
  const canvas = {
    surface,
    svg: find("svg"),
    picture: find("image"),
    groups: { boxes: find(".boxes"), dots: find(".dots"), handles: find(".handles") },
    bars: { across: find(".across"), down: find(".down") },
    buttons: { out: find("[data-zoom=out]"), fit: find("[data-zoom=fit]") },
    room: [0, 0], // CSS pixels of the surface
    view: null, // what is visible, see zoom_view.js
    boxes: [], // [x0, y0, x1, y1] in pixels of the original
    active: -1, // index of the box with handles
    gesture: null, // what the pointers do, see box_canvas_gestures.js
    pointers: new Map(),
    unsent: null, // timer of an edit with the keyboard
    sent: null, // the last reported edit, until the server has answered it
  };
  listen(canvas);
  new ResizeObserver(() => resized(canvas) && draw(canvas)).observe(surface);
  return canvas;
}

// Show the boxes of the server, unless they are older than what the visitor has just drawn.
function takeBoxes(canvas) {
  const { data, sent } = canvas;
  if (canvas.gesture || canvas.unsent) return;
  if (sent && sent.edit !== data.edit && performance.now() < sent.until) return;
  canvas.sent = null;
  const changed = JSON.stringify(canvas.boxes) !== JSON.stringify(data.boxes);
  canvas.boxes = data.boxes;
  if (changed || canvas.active >= data.boxes.length) canvas.active = data.boxes.length - 1;
}

// Report the boxes, if they have changed.
function send(canvas) {
  clearTimeout(canvas.unsent);
  canvas.unsent = null;
  const boxes = canvas.boxes.map((box) => box.map(Math.round));
  canvas.boxes = boxes;
  if (JSON.stringify(boxes) === JSON.stringify(canvas.sent?.boxes ?? canvas.data.boxes)) return;
  const edit = Math.max(Date.now(), (canvas.sent?.edit ?? 0) + 1);
  canvas.sent = { edit, boxes, until: performance.now() + PATIENCE };
  canvas.report({ picture: canvas.data.picture, boxes, edit });
}

// Make a box the search: it replaces the others or, with several boxes, is added.
function addBox(canvas, box) {
  const { several, most } = canvas.data;
  if (several && canvas.boxes.length >= most) return;
  canvas.boxes = several ? [...canvas.boxes, box] : [box];
  canvas.active = canvas.boxes.length - 1;
  send(canvas);
}

function removeBox(canvas, index) {
  canvas.boxes = canvas.boxes.filter((_, other) => other !== index);
  canvas.active = canvas.boxes.length - 1;
  send(canvas);
  canvas.svg.focus({ preventScroll: true });
}

// Take the new size of the surface into account; false while it is hidden.
function resized(canvas) {
  const room = [canvas.surface.clientWidth, canvas.surface.clientHeight];
  if (!canvas.data || !room[0] || !room[1]) return false;
  const enlarged = canvas.view && isEnlarged(canvas);
  canvas.room = room;
  canvas.view = enlarged ? within(canvas, canvas.view) : startView(canvas);
  return true;
}

function startView(canvas) {
  const { room, data } = canvas;
  const fit = fitScale(room, data.size);
  const short = Math.min(...data.size);
  const cover = Math.max(room[0] / data.size[0], room[1] / data.size[1]);
  const scale = short * fit < THIN ? Math.max(Math.min(THICK / short, cover), fit) : fit;
  return within(canvas, { x: 0, y: 0, scale });
}

// CSS pixels on the surface -> pixels of the original.
function toPicture({ view }, [across, down]) {
  return [view.x + across / view.scale, view.y + down / view.scale];
}

// The visible part of the picture, [x0, y0, x1, y1].
function visiblePart({ view, room, data }) {
  const [x1, y1] = [view.x + room[0] / view.scale, view.y + room[1] / view.scale];
  return [Math.max(view.x, 0), Math.max(view.y, 0), Math.min(x1, data.size[0]), Math.min(y1, data.size[1])];
}
