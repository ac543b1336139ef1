// Render the picture grid and report the chosen action and tile. tile_grid.py documents the data.

const TAIL = 9; // characters at the end of a title that are always visible

// Streamlit calls this on every change of data or theme; each call updates the existing elements.
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul");
  const focus = focused(list);
  list.ariaLabel = data.label;
  list.style.setProperty("--min-width", `${data.min_width}px`);
  arrange(list, data);
  makeCurrent(list, list.querySelector("li.current") ?? list.firstElementChild);
  restore(list, focus);

  const pick = (tile, action) => setTriggerValue("picked", { action, name: tile.dataset.name });
  if (!list.onclick) list.addEventListener("focusin", (event) => makeCurrent(list, event.target.closest("li")));
  takeFocusBack(list);
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

// Remaining tiles keep their element, with its focus and decoded picture.
function arrange(list, data) {
  const known = new Map([...list.children].map((item) => [item.dataset.name, item]));
  const items = data.tiles.map((tile) => known.get(tile.name) ?? newItem(tile.name));
  const kept = new Set(items);
  for (const item of [...list.children]) if (!kept.has(item)) item.remove();
  items.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
    update(item, data.tiles[place], data);
  });
}

function newItem(name) {
  const item = make("li");
  item.dataset.name = name;
  const picture = make("button", "picture");
  picture.type = "button";
  const image = make("img");
  image.loading = "lazy";
  image.decoding = "async";
  const outlines = svg("svg", { "aria-hidden": "true", preserveAspectRatio: "xMidYMid meet" });
  picture.append(make("span", "backdrop"), image, outlines);
  const title = make("div", "title");
  title.dir = "auto";
  title.append(make("span", "head"), make("span", "tail"));
  const judged = make("div", "judged");
  judged.append(make("span", "badge"), " ", make("span", "note"));
  const help = make("span", "help");
  help.hidden = true; // only for screen readers, as the picture's description
  help.id = `help-${Math.random().toString(36).slice(2)}`;
  picture.setAttribute("aria-describedby", help.id);
  item.append(picture, title, judged, make("div", "actions"), help);
  return item;
}

function update(item, tile, { actions: [main, ...others], colours }) {
  const [width, height] = tile.size;
  const picture = item.querySelector(".picture");
  const image = picture.querySelector("img");
  put(image, "alt", tile.alt);
  if (put(image, "src", tile.picture)) {
    const fills = Math.abs((3 * width) / (4 * height) - 1) < 0.02;
    picture.querySelector(".backdrop").style.backgroundImage = fills ? "" : `url("${tile.picture}")`;
  }
  const outlines = picture.querySelector("svg");
  put(outlines, "viewBox", `0 0 ${width} ${height}`);
  outlines.replaceChildren(...tile.outlines.flatMap((box, number) => outline(box, colours[Math.min(number, colours.length - 1)])));
  picture.dataset.action = main.name;
  put(picture, "title", hint(main));

  const characters = Array.from(tile.title);
  const title = item.querySelector(".title");
  put(title, "title", tile.title);
  write(title.firstChild, characters.slice(0, -TAIL).join(""));
  write(title.lastChild, characters.slice(-TAIL).join(""));

  const badge = item.querySelector(".badge");
  badge.className = `badge ${tile.tone}`;
  badge.hidden = !tile.badge;
  write(badge, tile.badge);
  write(item.querySelector(".note"), tile.note);
  const judged = item.querySelector(".judged");
  judged.hidden = !tile.badge && !tile.note;
  put(judged, "title", tile.help);
  write(item.querySelector(".help"), [main.label, [tile.badge, tile.note].join(" ").trim(), tile.help].join(". "));
  updateActions(item.querySelector(".actions"), tile, others);
}

function updateActions(place, tile, actions) {
  while (place.children.length > actions.length) place.lastChild.remove();
  actions.forEach((action, number) => {
    const button = place.children[number] ?? place.appendChild(newButton());
    button.dataset.action = action.name;
    put(button, "title", hint(action));
    put(button, "aria-label", `${action.label}: ${tile.title}`);
    if (action.shortcut) put(button, "aria-keyshortcuts", action.shortcut);
    else button.removeAttribute("aria-keyshortcuts");
    if (action.toggle) put(button, "aria-pressed", tile.pressed.includes(action.name));
    else button.removeAttribute("aria-pressed");
    write(button.firstChild, action.icon);
  });
}

function newButton() {
  const button = make("button", "action");
  button.type = "button";
  const icon = make("span", "icon");
  icon.ariaHidden = "true";
  button.append(icon);
  return button;
}

// A coloured rectangle over a wider white one, visible on any picture.
function outline([x, y, width, height], stroke) {
  const box = { x, y, width, height };
  return [
    svg("rect", { ...box, class: "casing" }),
    svg("rect", { ...box, stroke }),
  ];
}

const hint = ({ label, shortcut }) => (shortcut ? `${label} (${shortcut.toUpperCase()})` : label);

// Roving tabindex: Tab reaches one tile, arrow keys move between tiles.
function makeCurrent(list, current) {
  for (const item of list.children) {
    item.classList.toggle("current", item === current);
    for (const button of item.querySelectorAll("button")) button.tabIndex = item === current ? 0 : -1;
  }
}

function neighbour(list, item, key) {
  const items = [...list.children];
  const here = items.indexOf(item);
  const columns = items.filter((other) => other.offsetTop === items[0].offsetTop).length;
  const last = items.length - 1;
  const inLastRow = Math.floor(here / columns) === Math.floor(last / columns);
  const there = {
    ArrowLeft: here - 1,
    ArrowRight: here + 1,
    ArrowUp: here - columns,
    ArrowDown: inLastRow ? here : Math.min(here + columns, last),
    Home: 0,
    End: last,
  }[key];
  return there === undefined ? null : (items[there] ?? item);
}

// The focused element and the index of its tile.
function focused(list) {
  const element = list.getRootNode().activeElement;
  const item = element?.closest("li");
  return item && list.contains(item) ? { element, item, place: [...list.children].indexOf(item) } : null;
}

// Restore the focus: a moved tile loses it, and that of a removed tile passes to the tile now at its index.
function restore(list, focus) {
  if (!focus || list.getRootNode().activeElement === focus.element) return;
  const heir = list.children[Math.min(focus.place, list.children.length - 1)];
  const element = list.contains(focus.element) ? focus.element : heir?.querySelector("button");
  element?.focus({ preventScroll: true });
}

// A closing dialog returns the focus to the shadow host of this grid. A tabIndex of -1 would let the host take it, but
// Tab would then skip everything inside.
function takeFocusBack(list) {
  list.getRootNode().host.focus = (options) => list.querySelector(".current button")?.focus(options);
}

function make(tag, className = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  return element;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function put(element, name, value) {
  const changes = element.getAttribute(name) !== String(value);
  if (changes) element.setAttribute(name, value);
  return changes;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
