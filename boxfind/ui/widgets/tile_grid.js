// Render the picture grid and report the chosen action and tile. tile_grid.py documents the data.

const TAIL = 9; // characters at the end of a title that are always visible

const TILE = template(`<li>
  <button type="button" class="picture">
    <span class="backdrop"></span><img loading="lazy" decoding="async"><svg aria-hidden="true"></svg>
  </button>
  <div class="title" dir="auto"><span class="head"></span><span class="tail"></span></div>
  <div class="rating"><span class="badge"></span> <span class="note"></span></div>
  <div class="actions"></div>
</li>`);
const ACTION = template(`<button type="button" class="action"><span class="icon" aria-hidden="true"></span></button>`);

// Streamlit calls this on every change of data or theme; each call updates the existing elements.
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul");
  const focus = focused(list);
  list.ariaLabel = data.label;
  list.style.setProperty("--min-width", `${data.min_width}px`);
  arrange(list, data);
  makeCurrent(list, list.querySelector("li.current") ?? list.firstElementChild);
  restore(list, focus);
  // A closing dialog returns the focus to the shadow host of this grid. A tabIndex of -1 would let the host take it,
  // but Tab would then skip everything inside.
  list.getRootNode().host.focus = (options) => list.querySelector(".current button")?.focus(options);

  const pick = (tile, action) => setTriggerValue("picked", { action, name: tile.dataset.name });
  if (!list.onclick) list.addEventListener("focusin", (event) => makeCurrent(list, event.target.closest("li")));
  list.onclick = (event) => {
    const button = event.target.closest("button");
    if (button) pick(button.closest("li"), button.dataset.action);
  };
  list.onkeydown = (event) => {
    const tile = event.target.closest("li");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = neighbour(list, tile, event.key);
    const action = data.actions.find(({ shortcut }) => shortcut && shortcut.toLowerCase() === event.key.toLowerCase());
    if (!next && !action) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has its own letter shortcuts
    if (next) next.querySelector("button").focus();
    else if (!event.repeat) pick(tile, action.name);
  };
}

// Remaining tiles keep their element, with its decoded picture.
function arrange(list, data) {
  const known = new Map([...list.children].map((item) => [item.dataset.name, item]));
  const items = data.tiles.map((tile) => known.get(tile.name) ?? copy(TILE));
  const same = items.length === known.size && items.every((item, index) => item === list.children[index]);
  if (!same) list.replaceChildren(...items);
  items.forEach((item, index) => update(item, data.tiles[index], data));
}

function update(item, tile, { actions: [main, ...others], colours }) {
  const [picture, image, title, rating, badge] = [".picture", "img", ".title", ".rating", ".badge"].map((selector) =>
    item.querySelector(selector),
  );
  const [width, height] = tile.size;
  item.dataset.name = tile.name;
  picture.dataset.action = main.name;
  picture.title = hint(main);
  image.alt = tile.alt;
  if (image.getAttribute("src") !== tile.picture) {
    image.src = tile.picture;
    const fills = Math.abs((3 * width) / (4 * height) - 1) < 0.02;
    picture.querySelector(".backdrop").style.backgroundImage = fills ? "" : `url("${tile.picture}")`;
  }
  const outlines = picture.querySelector("svg");
  outlines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  outlines.replaceChildren(
    ...tile.outlines.flatMap((box, index) => outline(box, colours[Math.min(index, colours.length - 1)])),
  );

  const characters = Array.from(tile.title);
  title.title = tile.title;
  title.firstChild.textContent = characters.slice(0, -TAIL).join("");
  title.lastChild.textContent = characters.slice(-TAIL).join("");
  rating.title = tile.help;
  rating.hidden = !tile.badge && !tile.note;
  badge.className = `badge ${tile.tone}`;
  badge.hidden = !tile.badge;
  badge.textContent = tile.badge;
  rating.lastChild.textContent = tile.note;
  const description = [main.label, [tile.badge, tile.note].join(" ").trim(), tile.help];
  picture.setAttribute("aria-description", description.filter(Boolean).join(". "));
  updateActions(item.querySelector(".actions"), tile, others);
}

function updateActions(row, tile, actions) {
  while (row.children.length > actions.length) row.lastChild.remove();
  actions.forEach((action, index) => {
    const button = row.children[index] ?? row.appendChild(copy(ACTION));
    button.dataset.action = action.name;
    button.title = hint(action);
    button.ariaLabel = `${action.label}: ${tile.title}`;
    button.ariaPressed = action.toggle ? tile.pressed.includes(action.name) : null;
    if (action.shortcut) button.setAttribute("aria-keyshortcuts", action.shortcut);
    else button.removeAttribute("aria-keyshortcuts");
    button.firstChild.textContent = action.icon;
  });
}

// A coloured rectangle over a wider white one, visible on any picture.
function outline([x, y, width, height], stroke) {
  return [{ class: "casing" }, { stroke }].map((style) => {
    const rectangle = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const attributes = { x, y, width, height, ...style };
    for (const [name, value] of Object.entries(attributes)) rectangle.setAttribute(name, value);
    return rectangle;
  });
}

function hint({ label, shortcut }) {
  return shortcut ? `${label} (${shortcut.toUpperCase()})` : label;
}

// Roving tabindex: Tab reaches one tile, arrow keys move between tiles.
function makeCurrent(list, current) {
  for (const item of list.children) {
    item.classList.toggle("current", item === current);
    for (const button of item.querySelectorAll("button")) button.tabIndex = item === current ? 0 : -1;
  }
}

function neighbour(list, item, key) {
  const items = [...list.children];
  const index = items.indexOf(item);
  const columns = items.filter((other) => other.offsetTop === items[0].offsetTop).length;
  const last = items.length - 1;
  const inLastRow = Math.floor(index / columns) === Math.floor(last / columns);
  const target = {
    ArrowLeft: index - 1,
    ArrowRight: index + 1,
    ArrowUp: index - columns,
    ArrowDown: inLastRow ? index : Math.min(index + columns, last),
    Home: 0,
    End: last,
  }[key];
  return target === undefined ? null : (items[target] ?? item);
}

// The focused element and the index of its tile.
function focused(list) {
  const element = list.getRootNode().activeElement;
  const item = element?.closest("li");
  return item && list.contains(item) ? { element, index: [...list.children].indexOf(item) } : null;
}

// Restore the focus: a moved tile loses it, and that of a removed tile passes to the tile now at its index.
function restore(list, focus) {
  if (!focus || list.getRootNode().activeElement === focus.element) return;
  const successor = list.children[Math.min(focus.index, list.children.length - 1)];
  const element = list.contains(focus.element) ? focus.element : successor?.querySelector("button");
  element?.focus({ preventScroll: true });
}

function template(html) {
  const element = document.createElement("template");
  element.innerHTML = html;
  return element;
}

function copy(template) {
  return template.content.firstElementChild.cloneNode(true);
}
