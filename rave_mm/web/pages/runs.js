// The page of runs: what tests, trainings and ablations found, side by side. Its address says what
// is shown, so that it can be shared.
import { ask, make, query } from "./api.js";
import { SERIES, lines } from "./charts.js";

const TITLES = { test: "Tests", training: "Trainings", ablation: "Ablations" };
const ORDERS = {
  least: "least gain first", most: "largest gain first",
  apart: "where the tests differ most first", name: "by name",
};
const $ = (id) => document.getElementById(id);
const number = (value, sign = false) => typeof value !== "number" ? String(value)
  : (sign && value >= 0 ? "+" : "") + value.toFixed(4);
const size = (value) => (typeof value === "number" ? value : value === "-inf" ? -Infinity : Infinity);

const { folder, records } = await ask("/api/runs/");

function state() {
  return new URLSearchParams(location.search);
}

function change(edit) {
  const wanted = state();
  edit(wanted);
  history.pushState(null, "", `?${wanted}`);
  return show();
}

function list() {
  const chosen = state();
  $("list").replaceChildren(...Object.entries(TITLES).map(([kind, title]) => {
    const found = records.filter((record) => record.kind === kind);
    return make("fieldset", {}, make("legend", { textContent: title }), ...found.map(({ name, date }) => {
      const box = make("input", { type: "checkbox", checked: chosen.getAll(kind).includes(name) });
      box.addEventListener("change", () => change((wanted) => {
        const names = wanted.getAll(kind).filter((other) => other !== name);
        wanted.delete(kind);
        for (const each of box.checked ? [...names, name] : names) wanted.append(kind, each);
      }));
      const when = make("time", { dateTime: date, textContent: new Date(date).toLocaleString() });
      return make("label", {}, box, ` ${name} `, when);
    }), ...(found.length ? [] : [make("p", { className: "quiet", textContent: "none" })]));
  }), make("p", { className: "quiet", textContent: `Found below ${folder}` }));
}

function table(head, rows) {
  const cells = (tag, row) => row.map((content, place) => {
    const cell = make(place ? tag : "th", { textContent: content });
    if (tag === "th" || !place) cell.scope = tag === "th" ? "col" : "row";
    return cell;
  });
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "table" }, make("table", {},
    make("thead", {}, make("tr", {}, ...cells("th", head))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row))))));
}

function menu(label, options, value, chosen) {
  const select = make("select", {}, ...Object.entries(options).map(([key, text]) => new Option(text, key)));
  select.value = value;
  select.addEventListener("change", () => chosen(select.value));
  return make("label", {}, `${label} `, select);
}

/** Tests: their figures beside each other, then photo by photo. */
function tests(found) {
  const metrics = [...new Set(found.flatMap(({ data }) => Object.keys(data.figures)))];
  const figures = table(["metric", "input", ...found.map(({ name }) => name)], metrics.map((metric) => {
    const arrow = found.map(({ data }) => data.figures[metric]?.better).includes("lower") ? "↓" : "↑";
    const input = found.map(({ data }) => data.figures[metric]?.input).find((value) => value !== undefined);
    return [`${metric} ${arrow}`, number(input), ...found.map(({ data }) => {
      const figure = data.figures[metric];
      return figure ? `${number(figure.result)} (${number(figure.gain, true)})` : "not computed";
    })];
  }));
  const chosen = state();
  const perPhoto = [...new Set(found.flatMap(({ data }) => data.photos.flatMap((photo) => Object.keys(photo.figures))))];
  const metric = perPhoto.includes(chosen.get("metric")) ? chosen.get("metric") : perPhoto[0];
  const order = chosen.get("order") in ORDERS ? chosen.get("order") : "least";
  const photos = new Map();
  for (const { name, data } of found) {
    for (const photo of data.photos) {
      if (!photos.has(photo.name)) photos.set(photo.name, []);
      photos.get(photo.name).push({ run: name, ...photo });
    }
  }
  const gains = (entries) => entries.map(({ figures }) => figures[metric]).filter(Boolean).map((each) => size(each[2]));
  const key = {
    least: (entries) => Math.min(...gains(entries)),
    most: (entries) => -Math.max(...gains(entries)),
    apart: (entries) => -(Math.max(...gains(entries)) - Math.min(...gains(entries))),
  }[order];
  const sorted = [...photos].sort(([a, x], [b, y]) => (key && key(x) - key(y)) || a.localeCompare(b));
  const menus = make("p", { className: "row" },
    menu("Metric", Object.fromEntries(perPhoto.map((name) => [name, name])), metric, (value) => change((w) => w.set("metric", value))),
    menu("Photos", ORDERS, order, (value) => change((w) => w.set("order", value))));
  return [make("h2", { textContent: "Tests" }), figures, menus, ...sorted.map(([name, entries]) => testPhoto(name, entries, metric))];
}

function testPhoto(name, entries, metric) {
  const caption = make("figcaption", {}, make("a", { href: `#${encodeURIComponent(name)}`, textContent: name }));
  const figure = make("figure", { className: "photo", id: encodeURIComponent(name) }, caption);
  const pictures = new Map();
  const add = (title, run, picture) => pictures.set(title, { run, picture });
  for (const { run, pictures: kept } of entries) {
    if (kept.includes("input") && !pictures.has("input")) add("input", run, "input");
    if (kept.includes("result")) add(entries.length > 1 ? run : "result", run, "result");
  }
  const truth = entries.find(({ pictures: kept }) => kept.includes("ground truth"));
  if (truth) add("ground truth", truth.run, "ground truth");
  if (pictures.size > 1) figure.append(later(name, pictures));
  else figure.append(make("p", { className: "quiet", textContent: "report.html has no pictures that are found here; test again" }));
  figure.append(...entries.map(({ run, figures }) => {
    const [result, input, gain] = figures[metric] ?? [];
    const told = gain === undefined ? "not computed" : `${number(input)} → ${number(result)} (${number(gain, true)})`;
    return make("div", { className: "quiet", textContent: `${run}: ${metric} ${told}` });
  }));
  return figure;
}

/** Pictures that are asked for when they come near the screen. */
function later(name, pictures) {
  const place = make("div", { className: "place" });
  const watch = new IntersectionObserver(async (seen) => {
    if (!seen.some((each) => each.isIntersecting)) return;
    watch.disconnect();
    const images = [...pictures].map(([title, { run, picture }]) => {
      const img = make("img", { alt: `${name}, ${title}`, src: `/api/runs/picture?${query({ name: run, photo: name, picture })}` });
      img.dataset.name = title;
      return img;
    });
    await images[0].decode().catch(() => null);
    for (const img of images) Object.assign(img, { width: images[0].naturalWidth || 3, height: images[0].naturalHeight || 2 });
    const element = document.createElement("before-after");
    element.setAttribute("label", name);
    element.append(...images);
    place.replaceWith(element);
  }, { rootMargin: "600px" });
  watch.observe(place);
  return place;
}

/** Trainings: one curve of all of them. */
function trainings(found) {
  const names = [...new Set(found.flatMap(({ data }) => Object.keys(data.curves)))];
  if (!names.length) return [make("p", { textContent: "These trainings have written no figures yet." })];
  const curve = names.includes(state().get("curve")) ? state().get("curve") : names.includes("loss") ? "loss" : names[0];
  const series = found.map(({ name, data }) => ({ name, points: data.curves[curve] ?? [] }));
  const keys = series.map(({ name, points }, place) => {
    const last = points.length ? `, at last ${number(points[points.length - 1][1])}` : ", none";
    const key = make("span", { className: "key", textContent: name + last });
    key.style.setProperty("--series", SERIES[place % SERIES.length]);
    return key;
  });
  return [make("h2", { textContent: "Trainings" }),
    menu("Curve", Object.fromEntries(names.map((name) => [name, name])), curve, (value) => change((w) => w.set("curve", value))),
    lines(series.filter(({ points }) => points.length), curve), make("p", {}, ...keys)];
}

function ablations(found) {
  return found.flatMap(({ name, data }) => [
    make("h2", { textContent: name }),
    table(data.columns, data.rows),
    ...(data.figure ? [make("img", { className: "chart", alt: `figure of ${name}`, src: `/api/runs/figure?${query({ name })}` })] : []),
  ]);
}

async function show() {
  list();
  const builders = { test: tests, training: trainings, ablation: ablations };
  const parts = [];
  for (const [kind, build] of Object.entries(builders)) {
    const found = [];
    for (const name of state().getAll(kind)) {
      try {
        found.push({ name, data: await ask(`/api/runs/${kind}?${query({ name })}`) });
      } catch (error) {
        parts.push(make("p", { className: "warning", textContent: error.message }));
      }
    }
    if (found.length) parts.push(...build(found));
  }
  if (!parts.length) {
    parts.push(make("p", { className: "large", textContent: "Choose what to show; several of a kind are shown side by side." }));
  }
  $("shown").replaceChildren(...parts);
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  document.body.dataset.ready = "yes";
}

addEventListener("popstate", show);
await show();
