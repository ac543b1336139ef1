// What the keys do: move, resize and remove boxes, choose dots, zoom and pan.

const KEY_STEP = 3; // CSS pixels by which an arrow key moves a box
const KEY_PAUSE = 500; // milliseconds after the last key until the edit is reported

function typeKey(canvas, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !pressKey(canvas, event)) return;
  event.preventDefault();
  event.stopPropagation(); // Streamlit has shortcuts of its own
}

// Returns whether the key means something here.
function pressKey(canvas, { key, shiftKey, target }) {
  const dot = canvas.data.dots[[...canvas.groups.dots.children].indexOf(target.closest(".dot"))];
  const index = boxIndex(target);
  const enters = key === "Enter" || key === " ";
  if (key === "Escape" && canvas.gesture) cancel(canvas);
  else if (key === "+" || key === "=") zoom(canvas, 1.3);
  else if (key === "-" || key === "_") zoom(canvas, 1 / 1.3);
  else if (key === "0") showAll(canvas);
  else if (dot && enters) addBox(canvas, dot);
  else if (index >= 0 && (key === "Delete" || key === "Backspace")) removeBox(canvas, index);
  else if (index >= 0 && ARROWS[key]) nudge(canvas, index, ARROWS[key], shiftKey);
  else if (ARROWS[key]) return pan(canvas, ...ARROWS[key].map((step) => 40 * step));
  else if (key === " ") canvas.svg.classList.add("panning");
  else if (key === "Enter" && index < 0) addBox(canvas, middleOf(canvas));
  else return false;
  draw(canvas);
  return true;
}

// Move or resize a box by a key; reported after the last of several key presses.
function nudge(canvas, index, direction, resize) {
  const { view, data } = canvas;
  const by = direction.map((step) => step * Math.max(1, Math.round(KEY_STEP / view.scale)));
  const box = canvas.boxes[index];
  const least = (axis) => Math.min(box[axis] + data.smallest, data.size[axis]);
  const edges = resize
    ? [box[0], box[1], ...[0, 1].map((axis) => clamp(box[axis + 2] + by[axis], least(axis), data.size[axis]))]
    : box.map((edge, place) => edge + clamp(by[place % 2], -box[place % 2], data.size[place % 2] - box[(place % 2) + 2]));
  canvas.boxes = canvas.boxes.map((other, place) => (place === index ? edges : other));
  clearTimeout(canvas.unsent);
  canvas.unsent = setTimeout(() => send(canvas), KEY_PAUSE);
}

// A box in the middle of what is visible, for a visitor without a pointer.
function middleOf(canvas) {
  const [x0, y0, x1, y1] = visiblePart(canvas);
  const [across, down] = [(x1 - x0) / 4, (y1 - y0) / 4];
  return grown([x0 + across, y0 + down, x1 - across, y1 - down].map(Math.round), canvas.data);
}
