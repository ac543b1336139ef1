// Show the query in a strip, and scroll to the results of a new search. query_strip.py documents the data.
// svg.js belongs to the same module.

const SETTLED = 3000; // milliseconds after which nothing above the results changes its height
let shown = ""; // the search to whose results this page has gone

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const picture = button.querySelector("svg");
  const [width, height] = data.size;
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.replaceChildren(...(data.picture ? drawn(data) : []));
  button.querySelector("span").textContent = data.text;
  button.title = "Back to the picture";
  button.ariaLabel = `${data.text}: back to the picture`;
  button.onclick = () => scrollTo(".st-key-query-column");

  if (data.search && data.search !== shown) requestAnimationFrame(() => goToResults(button));
  shown = data.search || shown;
}

// Only on a narrow page, where the strip is visible. A new strip is laid out from the next frame on. The picture above
// may still change its height for a while; the visitor's next action ends the corrections.
function goToResults(button) {
  if (!button.getClientRects().length) return;
  const height = new ResizeObserver(() => scrollTo(".st-key-result-column"));
  height.observe(document.querySelector(".st-key-query-column"));
  const stop = () => height.disconnect();
  setTimeout(stop, SETTLED);
  for (const action of ["wheel", "pointerdown", "keydown"]) addEventListener(action, stop, { once: true });
}

function drawn({ picture, size: [width, height], boxes, colours }) {
  const outlines = boxes.flatMap(([x, y, width, height], index) => outline({ x, y, width, height }, colours, index));
  return [shape("image", { href: picture, width, height }), ...outlines];
}

function scrollTo(selector) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector(selector)?.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
}
