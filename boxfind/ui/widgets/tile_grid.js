// Render the picture grid and report the chosen action and tile. tile_grid.py documents the data.
// load_picture.js and svg.js belong to the same module.

const TAIL = 9; // characters at the end of a title that are always visible
const MOST_PLACES = 5; // buttons for other tiles of a source, until the visitor asks for all

const TILE = template(`<li class="tile">
  <button type="button" class="picture">
    <span class="backdrop"></span><img decoding="async"><svg aria-hidden="true"></svg>
  </button>
  <div class="title" dir="auto"><span class="head"></span><span class="tail"></span></div>
  <div class="rating"><span class="badge"></span><button type="button" class="pile" hidden></button></div>
  <div class="places" hidden></div>
  <div class="actions"></div>
</li>`);
const ACTION = template(`<button type="button" class="action"><span class="icon" aria-hidden="true"></span></button>`);
const PLACE = template(`<button type="button" class="place"></button>`);
const SECTION = template(`<li class="section"><h3></h3></li>`);

// Streamlit calls this on every change of data or theme; each call updates the existing elements.
export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul");
  const focus = focused(list);
  list.ariaLabel = data.label;
  list.style.setProperty("--min-width", `${data.min_width}px`);
  arrange(list, data);
  showTiles(list, data.tiles);
  makeCurrent(list, list.querySelector("li.current:not([hidden])") ?? visible(list)[0]);
  restore(list, focus);
  // A closing dialog returns the focus to the shadow host of this grid. A tabIndex of -1 would let the host take it,
  // but Tab would then skip everything inside.
  list.getRootNode().host.focus = (options) => list.querySelector(".current button")?.focus(options);

  const pick = (tile, action) => setTriggerValue("picked", { action, name: tile.dataset.name });
  if (!list.onclick) list.addEventListener("focusin", (event) => makeCurrent(list, event.target.closest("li")));
  list.onclick = (event) => {
    const button = event.target.closest("button");
    const tile = button?.closest("li");
    if (button?.classList.contains("pile")) toggleStack(list, button.dataset.stack, data.tiles);
    else if (button?.classList.contains("all")) showAllPlaces(list, button.dataset.source, data.tiles);
    else if (button?.classList.contains("place")) showPlace(list, button.dataset.name, data.tiles);
    else if (button) pick(tile, button.dataset.action);
  };
  list.onkeydown = (event) => {
    const tile = event.target.closest("li");
    if (!tile || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = neighbour(visible(list), tile, event.key);
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
  const known = new Map([...list.querySelectorAll(".tile")].map((item) => [item.dataset.name, item]));
  const tiles = data.tiles.map((tile) => known.get(tile.name) ?? copy(TILE));
  const items = tiles.flatMap((item, index) => {
    const { section } = data.tiles[index];
    return section && section !== data.tiles[index - 1]?.section ? [heading(section), item] : [item];
  });
  const same = items.length === list.children.length && items.every((item, index) => item === list.children[index]);
  if (!same) list.replaceChildren(...items);
  tiles.forEach((item, index) => update(item, data.tiles[index], data));
}

function heading(text) {
  const item = copy(SECTION);
  item.firstChild.textContent = text;
  return item;
}

// Hide the tiles of closed stacks, and all tiles of a source but one; offer to show them.
function showTiles(list, tiles) {
  const opened = (list.openedStacks ??= new Set());
  const sources = Map.groupBy(tiles, ({ source, name }) => source || `/${name}`);
  const items = new Map([...list.querySelectorAll(".tile")].map((item) => [item.dataset.name, item]));
  const counts = new Map();
  for (const [{ stack }] of sources.values()) if (stack) counts.set(stack, (counts.get(stack) ?? 0) + 1);
  for (const members of sources.values()) {
    const [{ name: top, stack, source }] = members;
    const shown = members.find(({ name }) => name === list.chosenPlaces?.get(source)) ?? members[0];
    const count = counts.get(top);
    for (const tile of members) {
      const item = items.get(tile.name);
      item.hidden = tile !== shown || (Boolean(stack) && !opened.has(stack));
      item.classList.toggle("member", Boolean(stack) || (opened.has(top) && Boolean(count)));
      item.classList.toggle("stacked", Boolean(count) && !opened.has(top));
      updatePile(item.querySelector(".pile"), top, count, opened.has(top), tile.title);
      updatePlaces(list, item.querySelector(".places"), tile === shown ? tile : null, members);
    }
  }
}

function updatePile(pile, stack, count, open, title) {
  pile.hidden = !count;
  pile.dataset.stack = stack;
  pile.ariaExpanded = String(open);
  pile.textContent = open ? "show fewer" : `and ${count} more`;
  pile.ariaLabel = `${pile.textContent} that look nearly the same as ${title}`;
}

// Buttons for the other tiles of a source, in the order of their places; at first only for the best ones.
function updatePlaces(list, row, shown, members) {
  const others = shown ? members.filter((tile) => tile !== shown) : [];
  row.hidden = !others.length;
  if (row.hidden) return row.replaceChildren();
  const all = list.allPlaces?.has(shown.source) || others.length <= MOST_PLACES + 1;
  const offered = (all ? others : others.slice(0, MOST_PLACES)).toSorted((one, other) => one.order - other.order);
  const words = document.createElement("span");
  words.textContent = shown.also[others.length > 1 ? 1 : 0];
  const buttons = offered.map((tile) => placeButton(tile.place, `Show ${tile.alt}`, { name: tile.name }));
  if (!all) {
    const label = `all ${others.length}`;
    const more = placeButton(label, `${label} places of ${shown.title}`, { source: shown.source });
    more.classList.add("all");
    buttons.push(more);
  }
  row.replaceChildren(words, ...buttons);
}

function placeButton(label, description, data) {
  const button = copy(PLACE);
  button.textContent = label;
  button.title = description;
  button.ariaLabel = `${label}: ${description}`;
  Object.assign(button.dataset, data);
  return button;
}

function toggleStack(list, name, tiles) {
  if (!list.openedStacks.delete(name)) list.openedStacks.add(name);
  showTiles(list, tiles);
}

// The tile takes the place of the one of its source that was shown, and the focus.
function showPlace(list, name, tiles) {
  const { source } = tiles.find((tile) => tile.name === name);
  (list.chosenPlaces ??= new Map()).set(source, name);
  showTiles(list, tiles);
  const item = visible(list).find(({ dataset }) => dataset.name === name);
  makeCurrent(list, item);
  item.querySelector(".picture").focus({ preventScroll: true });
}

function showAllPlaces(list, source, tiles) {
  (list.allPlaces ??= new Set()).add(source);
  showTiles(list, tiles);
  const item = list.querySelector("li.current");
  makeCurrent(list, item);
  item?.querySelector(".place")?.focus({ preventScroll: true });
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
  if (item.picture !== tile.picture || image.failed) {
    item.picture = tile.picture;
    image.address = ""; // the last one is not tried again
    item.fills = Math.abs((3 * width) / (4 * height) - 1) < 0.02;
    if (tile.picture.startsWith("data:")) load(item);
    else NEAR.observe(item);
  }
  const outlines = picture.querySelector("svg");
  outlines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  outlines.replaceChildren(
    ...tile.outlines.flatMap(([x, y, width, height], index) => outline({ x, y, width, height }, colours, index)),
  );

  const characters = Array.from(tile.title);
  title.title = tile.title;
  title.firstChild.textContent = characters.slice(0, -TAIL).join("");
  title.lastChild.textContent = characters.slice(-TAIL).join("");
  rating.title = tile.help;
  rating.hidden = !tile.badge;
  badge.className = `badge ${tile.tone}`;
  badge.hidden = !tile.badge;
  badge.textContent = tile.badge;
  picture.setAttribute("aria-description", [main.label, tile.badge, tile.help].filter(Boolean).join(". "));
  updateActions(item.querySelector(".actions"), tile, others);
}

// Browsers load all pictures of a grid that has no layout yet, also lazy ones, so this grid decides itself.
const NEAR = new IntersectionObserver(
  (entries) => entries.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => load(target)),
  { root: document.querySelector(".stMain"), rootMargin: "800px" },
);

function load(item) {
  NEAR.unobserve(item);
  const { picture } = item;
  const image = item.querySelector("img");
  image.onload = () => {
    item.querySelector(".backdrop").style.backgroundImage = item.fills ? "" : `url("${picture}")`;
  };
  loadPicture(image, picture);
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

function hint({ label, shortcut }) {
  return shortcut ? `${label} (${shortcut.toUpperCase()})` : label;
}

function visible(list) {
  return [...list.querySelectorAll(".tile:not([hidden])")];
}

// Roving tabindex: Tab reaches one tile, arrow keys move between tiles.
function makeCurrent(list, current) {
  for (const item of list.querySelectorAll(".tile")) {
    item.classList.toggle("current", item === current);
    for (const button of item.querySelectorAll("button")) button.tabIndex = item === current ? 0 : -1;
  }
}

// The tile that a key moves to; null for other keys. Rows can differ in length, and section headings lie between them.
function neighbour(items, item, key) {
  const index = items.indexOf(item);
  if (key === "Home") return items[0];
  if (key === "End") return items.at(-1);
  if (key === "ArrowLeft") return items[index - 1] ?? item;
  if (key === "ArrowRight") return items[index + 1] ?? item;
  if (key === "ArrowUp") return nearest(items, items.findLast((other) => other.offsetTop < item.offsetTop), item);
  if (key === "ArrowDown") return nearest(items, items.find((other) => other.offsetTop > item.offsetTop), item);
  return null;
}

// The tile in the row of `other` that is nearest to the column of `item`; `item` if there is no such row.
function nearest(items, other, item) {
  const distance = ({ offsetLeft }) => Math.abs(offsetLeft - item.offsetLeft);
  return items
    .filter(({ offsetTop }) => offsetTop === other?.offsetTop)
    .reduce((best, tile) => (best === item || distance(tile) < distance(best) ? tile : best), item);
}

// The focused element and the index of its tile.
function focused(list) {
  const element = list.getRootNode().activeElement;
  const item = element?.closest("li");
  return item && list.contains(item) ? { element, index: visible(list).indexOf(item) } : null;
}

// Restore the focus: a moved tile loses it, and that of a removed tile passes to the tile now at its index.
function restore(list, focus) {
  if (!focus || list.getRootNode().activeElement === focus.element) return;
  const items = visible(list);
  const successor = items[Math.min(focus.index, items.length - 1)];
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
