// One photo, large: the divider, strength, light map, figures and download.
import { ask, make, query } from "./api.js";
import { histogram } from "./charts.js";

const REST = 200; // milliseconds without a change, then figures are asked for
const $ = (id) => document.getElementById(id);

export class Viewer {
  constructor(settings, changed) {
    this.settings = settings;
    this.changed = changed; // is told of a photo whose strength or network was changed
    $("strength").max = 100 * settings.strongest;
    $("strength").addEventListener("input", () => this.setStrength($("strength").value / 100));
    $("enhancer").append(...settings.enhancers.map((name) => new Option(name, name)));
    $("enhancers").hidden = settings.enhancers.length < 2;
    $("enhancer").addEventListener("change", () => this.setEnhancer($("enhancer").value));
    $("light-map").addEventListener("change", () => this.overlay());
  }

  address(path, values = {}) {
    return `/api/photos/${this.photo.id}${path}?${query(values)}`;
  }

  /** The address of a picture that the divider's element names. */
  picture(name) {
    const side = this.settings.screen_side;
    if (name === "before") return this.address("/before", { side });
    return this.address("/after", { side, strength: this.photo.strength, enhancer: this.enhancerOf(name) });
  }

  enhancerOf(name) {
    return name === "after" ? this.photo.enhancer : name;
  }

  async open(photo) {
    this.photo = photo;
    this.trouble(null);
    $("name").textContent = photo.name;
    if (!photo.width) { // a shared one, which nobody has looked at
      $("stage").replaceChildren();
      try {
        Object.assign(photo, await ask(this.address("")));
      } catch (error) {
        this.trouble(error);
        return;
      }
      if (this.photo !== photo) return; // another was opened meanwhile
    }
    const several = this.settings.enhancers.length > 1;
    this.names = ["before", ...(several ? this.settings.enhancers : ["after"])];
    const pictures = this.names.map((name) => {
      const img = make("img", { width: photo.width, height: photo.height, alt: `${photo.name}, ${name}` });
      img.dataset.name = name;
      img.addEventListener("error", () => this.explain(img.src));
      img.src = this.picture(name);
      return img;
    });
    const element = document.createElement("before-after");
    element.setAttribute("label", photo.name);
    element.setAttribute("full-width", photo.width);
    element.setAttribute("full-height", photo.height);
    element.append(...pictures);
    this.pictures = pictures;
    this.element = element;
    $("stage").replaceChildren(element);
    if (several) element.show("before", photo.enhancer);
    element.sharper = (name, part) => name === "before"
      ? this.address("/part/before", part)
      : this.address("/part/after", { ...part, strength: this.photo.strength, enhancer: this.enhancerOf(name) });
    $("enhancer").value = photo.enhancer;
    $("kept").textContent = `${photo.width} × ${photo.height}, ${photo.format}, ${photo.bits} bits, with its metadata. `
      + photo.notes.map((note) => `It ${note}.`).join(" ");
    this.tellStrength();
    this.overlay();
    this.figures();
  }

  trouble(error) {
    $("trouble").hidden = !error;
    $("trouble").textContent = error ? `${this.photo.name}: ${error.message}` : "";
  }

  /** Why a picture did not come: an image element does not tell. */
  async explain(address) {
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error((await answer.json()).error);
    } catch (error) {
      this.trouble(error);
    }
  }

  tellStrength() {
    const percent = Math.round(100 * this.photo.strength);
    $("strength").value = percent;
    $("strength-told").textContent = `${percent}%`;
    const { strength, enhancer } = this.photo;
    $("download").href = this.address("/result", { strength, enhancer });
  }

  setStrength(strength) {
    this.photo.strength = strength;
    this.tellStrength();
    this.refresh();
  }

  setEnhancer(name) {
    this.photo.enhancer = name;
    this.element?.show(this.element.shown[0], name);
    this.tellStrength();
    this.refresh();
  }

  /** Show results of the strength that is set now; while one is under way, the last wish waits. */
  async refresh() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.keep(), REST);
    if (this.refreshing || !this.pictures) return;
    this.refreshing = true;
    const { photo, pictures } = this;
    for (let done = null; done !== photo.strength && this.photo === photo;) {
      done = photo.strength;
      const asked = performance.now();
      await Promise.all(pictures.slice(1).map(async (img) => {
        const next = new Image();
        next.src = this.picture(img.dataset.name);
        try {
          await next.decode();
          img.src = next.src;
        } catch {
          await this.explain(next.src);
        }
      }));
      performance.measure("strength", { start: asked });
    }
    this.refreshing = false;
    if (this.photo !== photo) this.refresh();
    else this.element.rest();
  }

  /** The setting rests: the server keeps it, and figures follow. */
  async keep() {
    const { photo } = this;
    const { strength, enhancer } = photo;
    this.overlay();
    this.figures();
    try {
      await ask(this.address(""), { method: "PATCH", body: JSON.stringify({ strength, enhancer }) });
      this.changed(photo);
    } catch (error) {
      this.trouble(error);
    }
  }

  overlay() {
    if (!this.element) return;
    const shown = $("light-map").checked;
    const { enhancer } = this.photo;
    this.element.overlay = shown
      ? make("img", { alt: `${this.photo.name}, light map`, src: this.address("/light-map", { enhancer }) })
      : null;
  }

  async figures() {
    const { photo } = this;
    const { strength, enhancer } = photo;
    let found;
    try {
      found = await ask(this.address("/figures", { strength, enhancer }));
    } catch (error) {
      this.trouble(error);
      return;
    }
    if (this.photo !== photo || photo.strength !== strength) return;
    $("histograms").replaceChildren(histogram(found.histograms.before, "before"), histogram(found.histograms.after, "after"));
    $("light-map-told").textContent = `${tell(1 / found.light_map.highest)} to ${tell(1 / found.light_map.lowest)} times as bright; blue brightens, orange dims`;
    $("score").replaceChildren(found.scores ? scores(found.scores) : "no guide");
    $("signs").replaceChildren(...signs(found.signs).map((text) => make("li", { textContent: text })));
    $("signs").classList.toggle("warning", found.signs.suspect);
  }
}

const tell = (value) => value.toFixed(value < 10 ? 2 : 0);

function scores(found) {
  const box = make("div", { className: "score" });
  for (const [name, score] of Object.entries(found)) {
    const percent = Math.round(100 * score);
    const bar = make("meter", { min: 0, max: 1, value: Math.min(1, Math.max(0, score)) });
    bar.setAttribute("aria-label", `${name}: ${percent} of 100`);
    box.append(make("span", { textContent: name }), bar, make("span", { textContent: `${percent}` }));
  }
  box.append(make("p", { className: "quiet", textContent: "0 is the mean backlit photo, 100 the mean well-lit one." }));
  box.lastChild.style.gridColumn = "1 / -1";
  return box;
}

function signs(found) {
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  return [
    `${percent(found.newly_clipped)} newly clipped to white`,
    `${percent(found.dark)} was very dark`,
    `${found.hue_shift.toFixed(1)}° of hue shift there`,
    `${found.green_shift >= 0 ? "+" : ""}${(100 * found.green_shift).toFixed(1)}% green there`,
    found.suspect ? "Look closely: this may have gone wrong" : "Nothing suspicious",
  ];
}
