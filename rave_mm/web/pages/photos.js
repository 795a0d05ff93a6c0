// The page of photos: drop, grid, progress; the address says which photo is large.
import { ask, make, query, visitor } from "./api.js";
import { Uploads, droppedFiles } from "./uploads.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const THUMB = 400;

const settings = await ask("/api/settings");
const photos = new Map(); // by id, in the order of the grid
const cards = new Map(); // by id, or by the upload that has none yet
let telling = null;
const early = new Map(); // what the server told of photos whose uploads are not answered yet
const uploads = new Uploads(settings.most_bytes, tellUpload);
const viewer = new Viewer(settings, (photo) => showCard(photo.id, photo));

$("limits").textContent = `Up to ${Math.round(settings.max_pixels / 1e6)} megapixels each: JPEG, PNG, TIFF, WebP, AVIF, HEIC, camera RAW.`;

function card(key) {
  if (cards.has(key)) return cards.get(key);
  const found = {
    box: make("li"), link: make("a"), thumb: make("span", { className: "thumb" }),
    name: make("span", { className: "name" }), state: make("span", { className: "state" }),
    remove: make("button", { type: "button", className: "remove", textContent: "×" }),
  };
  found.link.append(found.thumb, found.name, found.state);
  found.box.append(found.link, found.remove);
  $("grid").append(found.box);
  cards.set(key, found);
  return found;
}

function dropCard(key) {
  cards.get(key)?.box.remove();
  cards.delete(key);
  photos.delete(key);
  tell();
}

/** Show what is known of a photo in its card. */
function showCard(id, photo) {
  photos.set(id, Object.assign(photos.get(id) ?? {}, photo));
  const { box, link, thumb, name, state, remove } = card(id);
  name.textContent = photo.name;
  box.classList.toggle("failed", photo.state === "failed");
  state.textContent = { waiting: "waiting…", failed: photo.reason }[photo.state]
    ?? (photo.width ? `${photo.width} × ${photo.height}` : "");
  remove.hidden = !photo.mine;
  remove.setAttribute("aria-label", `remove ${photo.name}`);
  remove.onclick = async () => {
    await ask(`/api/photos/${id}`, { method: "DELETE" }).catch(() => null); // it may be gone already
    dropCard(id);
  };
  if (photo.state === "ready") {
    link.href = `#photo=${id}`;
    const { strength, enhancer } = photo;
    const src = `/api/photos/${id}/after?${query({ side: THUMB, strength, enhancer })}`;
    if (thumb.firstChild?.getAttribute?.("src") !== src) {
      const img = make("img", { alt: "", loading: "lazy", decoding: "async", width: 3, height: 2, src });
      img.onerror = () => (state.textContent = "cannot be shown; open it to see why");
      thumb.replaceChildren(img);
    }
  }
  tell();
}

function tellUpload(upload) {
  if (upload.photo) {
    const found = cards.get(upload);
    if (!found) { // it was removed while it came in
      ask(`/api/photos/${upload.photo.id}`, { method: "DELETE" }).catch(() => null);
      return;
    }
    const { id } = upload.photo;
    cards.get(id)?.box.remove();
    cards.delete(upload);
    cards.set(id, found);
    showCard(id, { ...upload.photo, ...early.get(id), ...photos.get(id) });
    early.delete(id);
    return;
  }
  const found = cards.get(upload);
  if (!found) return;
  found.box.classList.toggle("failed", Boolean(upload.error));
  found.state.textContent = upload.error ?? (upload.sent ? `sending, ${Math.round(100 * upload.sent)}%` : "waiting…");
  tell();
}

function add(files) {
  for (const file of files) {
    const upload = uploads.add(file);
    const { name, state, remove } = card(upload);
    name.textContent = file.name;
    state.textContent = "waiting…";
    remove.setAttribute("aria-label", `remove ${file.name}`);
    remove.onclick = () => {
      upload.cancelled = true;
      upload.cancel?.();
      dropCard(upload);
    };
  }
  tell();
}

/** Tell how far everything is, once for all that changes before the next frame. */
function tell() {
  telling ??= requestAnimationFrame(tellNow);
}

function tellNow() {
  telling = null;
  const ready = [...photos.values()].filter((photo) => photo.state === "ready").length;
  const failed = [...cards.values()].filter(({ box }) => box.classList.contains("failed")).length;
  const all = cards.size;
  $("album").classList.toggle("empty", all === 0);
  $("bar").hidden = all === 0;
  $("progress").textContent = `${ready} of ${all} ready${failed ? `, ${failed} failed` : ""}`;
  $("meter").max = all || 1;
  $("meter").value = ready + failed;
  $("meter").hidden = ready + failed === all;
  $("all").hidden = ready === 0;
}

/** Show the album, or the photo that the address names. */
function route() {
  const id = new URLSearchParams(location.hash.slice(1)).get("photo");
  const photo = photos.get(id);
  $("viewer").hidden = !photo;
  $("album").hidden = Boolean(photo);
  document.title = photo ? `${photo.name} - rave_mm` : "rave_mm: enhance photos";
  if (!photo) return;
  const ready = [...cards.keys()].map((key) => photos.get(key)).filter((each) => each?.state === "ready");
  const place = ready.indexOf(photo);
  for (const [button, other] of [[$("previous"), ready[place - 1]], [$("next"), ready[place + 1]]]) {
    button.disabled = !other;
    button.onclick = () => location.replace(`#photo=${other.id}`); // back leads to the grid
  }
  viewer.open(photo);
  $("name").focus({ preventScroll: true });
}

$("choose").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => {
  add($("files").files);
  $("files").value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
addEventListener("drop", async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  location.hash = "";
  add(await droppedFiles(event.dataTransfer));
});
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("viewer").hidden) location.hash = "";
});

$("all").href = `/api/results.zip?${query({ visitor })}`;
for (const photo of await ask(`/api/photos?${query({ visitor })}`)) showCard(photo.id, photo);
new EventSource(`/api/events?${query({ visitor })}`).onmessage = (event) => {
  const photo = JSON.parse(event.data);
  if (uploads.running && !cards.has(photo.id)) early.set(photo.id, photo); // until its upload is answered
  else showCard(photo.id, photo);
};
tellNow();
route();
document.body.dataset.ready = "yes";
