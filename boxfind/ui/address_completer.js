// Put parameters into an address that has none of some names, in place of this entry of the browser's history.
let completed; // the address as this function left it, of which the server may not know yet

export default function ({ data: { names, query } }) {
  const params = new URLSearchParams(location.search);
  if (names.some((name) => params.has(name)) && location.search !== completed) return;
  [...names, ...new URLSearchParams(query).keys()].forEach((name) => params.delete(name));
  const search = [params.toString(), query].filter(Boolean).join("&");
  history.replaceState(history.state, "", `${location.pathname}?${search}${location.hash}`);
  completed = location.search;
}
