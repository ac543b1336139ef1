// Load the picture of an <img> or an SVG <image>, whose `failed` then says whether it could not be loaded. The server
// may not offer a picture for a moment, since it forgets those of a page that runs again; so it is tried once more.

const RETRY = 2000; // milliseconds after which a picture that could not be loaded is tried again

function loadPicture(image, address, again = true) {
  Object.assign(image, { address, failed: false });
  image.onerror = () => {
    image.failed = true;
    if (again) setTimeout(() => image.failed && image.address === address && loadPicture(image, address, false), RETRY);
  };
  image.setAttribute(image.localName === "img" ? "src" : "href", address);
}
