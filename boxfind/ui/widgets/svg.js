// Make SVG elements.

function shape(name, attributes = {}, parts = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(element, attributes);
  element.append(...parts);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

// A rectangle in one of the colours, the last of which is for all further ones, over a wider white one: visible on any
// picture.
function outline(place, colours, index) {
  const stroke = colours[Math.min(index, colours.length - 1)];
  return [shape("rect", { ...place, class: "casing" }), shape("rect", { ...place, class: "line", stroke })];
}
