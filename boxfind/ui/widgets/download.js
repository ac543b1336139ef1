// Save the file at an address. Streamlit also calls this on a change of theme, which must not save it again.
const saved = new Set();

export default function ({ data: { address, name, once } }) {
  if (saved.has(once)) return;
  saved.add(once);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
