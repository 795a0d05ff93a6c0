// <before-after>: two pictures of one photo under a divider that moves, zoomed and panned together.
//
// Its children are <img data-name="..."> of one size. The first is shown left of the divider and
// the second right of it; where there are more, two menus choose. Attributes: label, what it shows;
// full-width, in pixels of the photo, where the pictures are reduced. A page may set `sharper`, a
// function (name, {left, top, width, height, scale}) that gives the address of that part of a
// picture, in the photo's own pixels: it is asked when the view rests at more than the picture has.
"use strict";

(() => {
  const NEAR = 28; // pixels around the divider that take hold of it
  const REST = 120; // milliseconds without a change, then sharper parts are asked for
  const FINEST = 8; // how far to zoom in, beyond the photo's own pixels

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  class BeforeAfter extends HTMLElement {
    connectedCallback() {
      if (this.stage) return;
      this.pictures = new Map([...this.querySelectorAll("img[data-name]")].map((img) => [img.dataset.name, img]));
      const [first] = this.pictures.values();
      this.ratio = first.width && first.getAttribute("height")
        ? first.getAttribute("width") / first.getAttribute("height") : 1.5;
      this.style.setProperty("--ratio", this.ratio);
      this.view = { zoom: 1, x: 0, y: 0 };
      this.pointers = new Map();
      this.layers = [make("div", { className: "layer" }), make("div", { className: "layer cut" })];
      this.divider = make("div", { className: "divider" }, make("span", { className: "handle" }));
      this.over = make("div", { className: "layer over" });
      this.stage = make("div", { className: "stage", tabIndex: 0 }, ...this.layers, this.over, this.divider);
      this.stage.setAttribute("role", "group");
      this.stage.setAttribute("aria-label",
        `${this.label}. Plus and minus zoom, 1 shows its own pixels, 0 all of it; arrow keys pan.`);
      this.range = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50 });
      this.range.setAttribute("aria-label", `${this.label}: where the divider is, in percent`);
      this.names = [make("span"), make("span")];
      this.fit = make("button", { type: "button", textContent: "Fit", title: "show all of it (0)" });
      this.own = make("button", { type: "button", textContent: "100%", title: "show its own pixels (1)" });
      const sides = this.pictures.size > 2 ? [this.menu(0), this.menu(1)] : this.names;
      this.controls = make("div", { className: "controls" },
        sides[0], this.range, sides[1], make("span", { className: "zooms" }, this.fit, this.own));
      this.append(this.stage, this.controls);
      const names = [...this.pictures.keys()];
      this.show(names[0], names[1] ?? names[0]);
      this.share = 50;
      this.listen();
    }

    get label() {
      return this.getAttribute("label") || "photo";
    }

    menu(side) {
      const options = [...this.pictures.keys()].map((name) => new Option(name, name));
      const menu = make("select", {}, ...options);
      menu.setAttribute("aria-label", `${this.label}: what is ${side ? "right" : "left"} of the divider`);
      menu.addEventListener("change", () => {
        const names = [...this.shown];
        names[side] = menu.value;
        this.show(...names);
        this.dispatchEvent(new CustomEvent("chosen", { detail: this.shown }));
      });
      (this.menus ??= [])[side] = menu;
      return menu;
    }

    /** Show one picture left of the divider and another right of it. */
    show(left, right) {
      this.shown = [left, right];
      // A picture can be in one place only: of the same one twice, the right side has a copy.
      const pictures = [this.pictures.get(left), this.pictures.get(right)];
      if (left === right) pictures[1] = pictures[0].cloneNode();
      this.layers[1].replaceChildren(pictures[0]);
      this.layers[0].replaceChildren(pictures[1]);
      this.shown.forEach((name, side) => {
        this.names[side].textContent = name;
        if (this.menus) this.menus[side].value = name;
      });
      this.rest();
    }

    /** Lay a picture over both halves, or none (null). */
    set overlay(img) {
      this.over.replaceChildren(...(img ? [img] : []));
    }

    /** Where the divider is, in percent. */
    get share() {
      return Number(this.range.value);
    }

    set share(percent) {
      this.range.value = Math.min(100, Math.max(0, percent));
      this.range.setAttribute("aria-valuetext", `${this.shown[0]} ${this.range.value}%, then ${this.shown[1]}`);
      this.style.setProperty("--share", `${this.range.value}%`);
    }

    /** The zoom at which a pixel of the photo is one of the screen. */
    get ownZoom() {
      const [first] = this.pictures.values();
      const width = Number(this.getAttribute("full-width")) || first.naturalWidth || this.stage.clientWidth;
      return width / (this.stage.clientWidth * devicePixelRatio);
    }

    get finest() {
      return FINEST * Math.max(1, this.ownZoom);
    }

    /** Zoom, with a point of the stage (in pixels) staying where it is. */
    zoomTo(zoom, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
      zoom = Math.min(this.finest, Math.max(1, zoom));
      const by = zoom / this.view.zoom;
      this.view = { zoom, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
      this.place();
    }

    pan(x, y) {
      this.view.x += x;
      this.view.y += y;
      this.place();
    }

    place() {
      const { clientWidth: width, clientHeight: height } = this.stage;
      const { zoom } = this.view;
      this.view.x = Math.min(0, Math.max(width * (1 - zoom), this.view.x));
      this.view.y = Math.min(0, Math.max(height * (1 - zoom), this.view.y));
      this.style.setProperty("--zoom", zoom);
      this.style.setProperty("--x", `${this.view.x}px`);
      this.style.setProperty("--y", `${this.view.y}px`);
      this.classList.toggle("zoomed", zoom > 1);
      this.classList.toggle("enlarged", zoom > this.ownZoom);
      this.fit.setAttribute("aria-pressed", zoom === 1);
      this.own.setAttribute("aria-pressed", Math.abs(zoom / Math.max(1, this.ownZoom) - 1) < 0.01 && zoom > 1);
      this.rest();
    }

    /** Ask for sharper parts once the view rests. */
    rest() {
      clearTimeout(this.resting);
      for (const part of this.querySelectorAll(".sharper")) part.remove();
      if (this.sharper && this.view.zoom > 1) this.resting = setTimeout(() => this.sharpen(), REST);
    }

    async sharpen() {
      const full = Number(this.getAttribute("full-width"));
      const { zoom, x, y } = this.view;
      const { clientWidth: width, clientHeight: height } = this.stage;
      if (!full) return;
      const pixels = full / (width * zoom); // of the photo, for one of the stage
      const fullHeight = Number(this.getAttribute("full-height"));
      const left = Math.floor(-x * pixels), top = Math.floor(-y * pixels);
      const rect = {
        left, top,
        width: Math.max(1, Math.min(full - left, Math.ceil(width * pixels))),
        height: Math.max(1, Math.min(fullHeight - top, Math.ceil(height * pixels))),
        scale: Math.min(1, devicePixelRatio / pixels),
      };
      const addresses = this.shown.map((name) => this.sharper(name, rect));
      if (addresses.includes(null)) return;
      const parts = addresses.map((src) => make("img", { className: "sharper", alt: "", src }));
      const asked = (this.asked = Symbol());
      try {
        await Promise.all(parts.map((part) => part.decode()));
      } catch {
        return; // the picture that is there stays
      }
      // Both halves at once, or the two would not be alike for a moment.
      if (this.asked !== asked || this.view.zoom !== zoom || this.view.x !== x || this.view.y !== y) return;
      for (const part of parts) {
        part.style.left = `${x + rect.left / pixels}px`;
        part.style.top = `${y + rect.top / pixels}px`;
        part.style.width = `${rect.width / pixels}px`;
        part.style.height = `${rect.height / pixels}px`;
      }
      this.layers[1].append(parts[0]);
      this.layers[0].append(parts[1]);
      this.dispatchEvent(new CustomEvent("sharp"));
    }

    listen() {
      this.range.addEventListener("input", () => (this.share = this.range.value));
      this.fit.addEventListener("click", () => this.zoomTo(1));
      this.own.addEventListener("click", () => this.zoomTo(this.ownZoom));
      this.stage.addEventListener("keydown", (event) => this.key(event));
      this.stage.addEventListener("pointerdown", (event) => this.down(event));
      this.stage.addEventListener("pointermove", (event) => this.move(event));
      for (const end of ["pointerup", "pointercancel"]) {
        this.stage.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
      }
      this.stage.addEventListener("dblclick", (event) => {
        const { x, y } = this.placeOf(event);
        this.zoomTo(this.view.zoom > 1 ? 1 : Math.max(2, this.ownZoom), x, y);
      });
      this.stage.addEventListener("wheel", (event) => {
        if (!event.ctrlKey) return; // a wheel alone scrolls the page
        event.preventDefault();
        const { x, y } = this.placeOf(event);
        this.zoomTo(this.view.zoom * Math.exp(-event.deltaY / 200), x, y);
      }, { passive: false });
      this.stage.addEventListener("dragstart", (event) => event.preventDefault());
      new ResizeObserver(() => this.place()).observe(this.stage);
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = 60;
      const action = {
        "+": () => this.zoomTo(this.view.zoom * 1.5),
        "=": () => this.zoomTo(this.view.zoom * 1.5),
        "-": () => this.zoomTo(this.view.zoom / 1.5),
        0: () => this.zoomTo(1),
        1: () => this.zoomTo(this.ownZoom),
        ArrowLeft: () => (this.view.zoom > 1 ? this.pan(step, 0) : (this.share -= 2)),
        ArrowRight: () => (this.view.zoom > 1 ? this.pan(-step, 0) : (this.share += 2)),
        ArrowUp: this.view.zoom > 1 ? () => this.pan(0, step) : null,
        ArrowDown: this.view.zoom > 1 ? () => this.pan(0, -step) : null,
      }[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    }

    placeOf(event) {
      const box = this.stage.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    down(event) {
      if (event.button) return;
      const { x } = this.placeOf(event);
      const divider = (this.share / 100) * this.stage.clientWidth;
      this.dividing = this.view.zoom === 1 || Math.abs(x - divider) < NEAR;
      this.pointers.set(event.pointerId, this.placeOf(event));
      this.stage.setPointerCapture(event.pointerId);
      if (this.dividing && this.pointers.size === 1) this.share = (100 * x) / this.stage.clientWidth;
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = this.placeOf(event);
      const others = [...this.pointers.entries()].filter(([id]) => id !== event.pointerId);
      this.pointers.set(event.pointerId, now);
      if (others.length) {
        const other = others[0][1];
        const length = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
        this.zoomTo((this.view.zoom * length(now)) / length(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
        this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      } else if (this.dividing) {
        this.share = (100 * now.x) / this.stage.clientWidth;
      } else {
        this.pan(now.x - before.x, now.y - before.y);
      }
    }
  }

  customElements.define("before-after", BeforeAfter);
})();
