// Show a picture with outlines, zoom and pan in it, and report steps to its neighbours. picture_view.py documents the
// data. zoom_view.js, load_picture.js and svg.js belong to the same module.

const DRAG = 6; // a drag shorter than this, in CSS pixels, is a click
const SWIPE = 60; // CSS pixels of a swipe with a finger to the next or the previous picture
const DOUBLE = 2.5; // factor of a double click
const KEEPS_KEYS = // elements that use arrow keys themselves
  "textarea, select, [contenteditable], [role=radio], [role=slider], [role=tab], [role=menuitem], [role=option], " +
  "input:not([type=checkbox], [role=combobox]), [role=combobox][aria-expanded=true]";

// Streamlit calls this on every change of data or theme; each call updates the existing elements.
export default function ({ data, parentElement, setTriggerValue }) {
  const surface = parentElement.querySelector(".surface");
  const shown = (surface.shown ??= createView(surface));
  shown.report = setTriggerValue;
  shown.next = data;
  if (shown.data?.address === data.address) return present(shown, data);
  const loading = new Image(); // the last picture stays until this one can be drawn
  loading.src = data.address;
  loading
    .decode()
    .catch(() => {})
    .then(() => shown.next === data && present(shown, data, loading.naturalWidth));
}

function createView(surface) {
  const find = (selector) => surface.querySelector(selector);
  const shown = {
    surface,
    svg: find("svg"),
    picture: find("image"),
    outlines: find(".outlines"),
    buttons: { out: find("[data-zoom=out]"), fit: find("[data-zoom=fit]") },
    room: [0, 0], // CSS pixels of the surface
    view: null, // what is visible, see zoom_view.js
    pointers: new Map(),
    drag: null, // { from, last, moved } of the first pointer
    sharpness: 0, // pixels of the shown JPEG for a pixel of the original
  };
  listen(shown);
  new ResizeObserver(() => shown.data && resized(shown)).observe(surface);
  return shown;
}

function present(shown, data, width) {
  const another = shown.data?.picture !== data.picture;
  shown.data = data;
  if (width) shown.sharpness = width / data.size[0];
  shown.surface.style.setProperty("--ratio", data.size[0] / data.size[1]);
  shown.surface.style.setProperty("--line", `${data.line}px`);
  if (another) Object.assign(shown, { view: null, drag: null });
  shown.picture.ariaLabel = data.alt;
  set(shown.picture, { width: data.size[0], height: data.size[1] });
  if (shown.picture.address !== data.address || shown.picture.failed) loadPicture(shown.picture, data.address);
  drawOutlines(shown);
  resized(shown);
}

// Take the new size of the surface into account.
function resized(shown) {
  const room = [shown.surface.clientWidth, shown.surface.clientHeight];
  if (!room[0] || !room[1]) return;
  const enlarged = shown.view && isEnlarged(shown);
  shown.room = room;
  if (!enlarged) return showAll(shown);
  shown.view = within(shown, shown.view);
  draw(shown);
}

function draw(shown) {
  const { svg, room, view, data, buttons, surface } = shown;
  svg.setAttribute("viewBox", [view.x, view.y, room[0] / view.scale, room[1] / view.scale].join(" "));
  svg.ariaLabel = data.label;
  const enlarged = isEnlarged(shown);
  surface.classList.toggle("enlarged", enlarged);
  if (!enlarged && surface.getRootNode().activeElement?.closest(".zoom button:not([data-zoom=in])")) svg.focus();
  buttons.out.hidden = buttons.fit.hidden = !enlarged;
  if (enlarged && data.sharper && view.scale * devicePixelRatio > 1.2 * shown.sharpness) askForSharper(shown);
}

// Ask once for a JPEG with more pixels.
function askForSharper(shown) {
  if (shown.asked === shown.data.picture) return;
  shown.asked = shown.data.picture;
  shown.report("sharper", true);
}

function drawOutlines({ outlines, data }) {
  outlines.classList.toggle("choosable", data.choose !== "");
  outlines.replaceChildren(
    ...data.outlines.flatMap((box, index) => {
      const [x, y, x1, y1] = box;
      const [casing, line] = outline({ x, y, width: x1 - x, height: y1 - y }, data.colours, index);
      const label = `${data.choose} ${index + 1}`;
      if (data.choose) set(line, { tabindex: 0, role: "button", "aria-label": label, "data-index": index });
      return [casing, line];
    }),
  );
}

function listen(shown) {
  const { svg, surface } = shown;
  svg.onpointerdown = (event) => press(shown, event);
  svg.onpointermove = (event) => move(shown, event);
  svg.onpointerup = (event) => release(shown, event);
  svg.onpointercancel = (event) => shown.pointers.delete(event.pointerId);
  svg.onclick = ({ target }) => !shown.clickIsDrag && choose(shown, target);
  svg.ondblclick = (event) => {
    if (event.target.dataset.index) return; // its first click has chosen it
    if (isEnlarged(shown)) showAll(shown);
    else zoom(shown, DOUBLE, pointOf(shown, event));
  };
  svg.addEventListener("wheel", (event) => turnWheel(shown, event), { passive: false });
  listenToButtons(shown);
  const typed = (event) => {
    if (surface.isConnected) typeKey(shown, event);
    else document.removeEventListener("keydown", typed, true);
  };
  // On the document: the keys work wherever the focus is, such as on a switch of the dialog.
  document.addEventListener("keydown", typed, true);
}

function press(shown, event) {
  if (event.button || shown.pointers.size > 1) return;
  const point = pointOf(shown, event);
  shown.pointers.set(event.pointerId, point);
  shown.drag = shown.pointers.size > 1 ? null : { from: point, last: point, moved: false };
  shown.clickIsDrag = false;
}

function move(shown, event) {
  const { pointers, drag } = shown;
  if (!pointers.has(event.pointerId)) return;
  const point = pointOf(shown, event);
  if (pointers.size > 1) {
    shown.clickIsDrag = true;
    return pinch(shown, event.pointerId, point);
  }
  pointers.set(event.pointerId, point);
  if (!drag) return;
  if (!drag.moved && Math.hypot(point[0] - drag.from[0], point[1] - drag.from[1]) < DRAG) return;
  drag.moved = shown.clickIsDrag = true;
  shown.svg.setPointerCapture(event.pointerId);
  if (isEnlarged(shown)) pan(shown, drag.last[0] - point[0], drag.last[1] - point[1]);
  drag.last = point;
}

function release(shown, event) {
  const { drag } = shown;
  if (!shown.pointers.delete(event.pointerId) || !drag) return;
  shown.drag = null;
  const [across, down] = [0, 1].map((axis) => drag.last[axis] - drag.from[axis]);
  const swiped = event.pointerType === "touch" && !isEnlarged(shown) && Math.abs(across) > SWIPE;
  if (swiped && Math.abs(across) > 2 * Math.abs(down)) shown.report("step", across < 0 ? 1 : -1);
}

// The wheel zooms. Downwards over the whole picture it scrolls the page.
function turnWheel(shown, event) {
  const down = event.deltaY;
  if (down && (down < 0 || isEnlarged(shown) || event.ctrlKey)) zoomByWheel(shown, event);
}

function typeKey(shown, event) {
  const [focused] = event.composedPath();
  if (event.ctrlKey || event.metaKey || event.altKey || focused.matches?.(KEEPS_KEYS)) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && !event.shiftKey) shown.report("step", step);
  else if (!shown.view || !pressKey(shown, event, focused)) return;
  event.preventDefault();
  event.stopPropagation();
}

// Returns whether the key means something here.
function pressKey(shown, { key, shiftKey }, focused) {
  if ((key === "Enter" || key === " ") && focused.dataset?.index) choose(shown, focused);
  else if (shiftKey && ARROWS[key]) pan(shown, ...ARROWS[key].map((step) => 40 * step));
  else if (key === "+" || key === "=") zoom(shown, 1.3);
  else if (key === "-") zoom(shown, 1 / 1.3);
  else if (key === "0") showAll(shown);
  else return false;
  return true;
}

function choose(shown, target) {
  const index = target.dataset?.index;
  if (index !== undefined) shown.report("chosen", Number(index));
}
