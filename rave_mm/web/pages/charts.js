// Charts as SVG: a histogram, and lines over iterations.
import { draw } from "./api.js";

const WIDTH = 320, HEIGHT = 90;

/** A histogram of {luma, red, green, blue}, each a list of counts from black to white. */
export function histogram(counts, name) {
  const inner = Object.values(counts).flatMap((list) => list.slice(1, -1));
  const most = Math.max(...inner, 1); // what is clipped would make all else flat
  const steps = counts.luma.length;
  const total = counts.luma.reduce((sum, count) => sum + count, 0);
  const line = (list) => list
    .map((count, step) => `${(step * WIDTH) / (steps - 1)} ${HEIGHT * (1 - Math.min(1, count / most))}`)
    .join("L");
  const percent = (count) => `${((100 * count) / total).toFixed(1)}%`;
  const told = `${name}: ${percent(counts.luma[0])} black, ${percent(counts.luma[steps - 1])} white`;
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 16}`, class: "chart", role: "img", "aria-label": told },
    draw("path", { class: "luma", d: `M0 ${HEIGHT}L${line(counts.luma)}L${WIDTH} ${HEIGHT}Z` }),
    ...["red", "green", "blue"].map((channel) => draw("path", { class: channel, d: `M${line(counts[channel])}` })),
    draw("path", { class: "axis", d: `M0 ${HEIGHT}H${WIDTH}` }),
    draw("text", { x: 0, y: HEIGHT + 13 }, told));
}

export const SERIES = ["#2563eb", "#c2410c", "#15803d", "#a21caf", "#0e7490", "#854d0e"];

/** Lines over iterations: [{name, points: [[iteration, value], ...]}]. */
export function lines(series, name) {
  const width = 640, height = 260, left = 56, foot = 20, head = 10;
  const points = series.flatMap((each) => each.points);
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const across = (x) => left + ((x - x0) / (x1 - x0 || 1)) * (width - left - 8);
  const up = (y) => head + (1 - (y - y0) / (y1 - y0 || 1)) * (height - head - foot);
  const text = (x, y, content, anchor) => draw("text", { x, y, "text-anchor": anchor }, content);
  const short = (value) => Number(value.toPrecision(4)).toString();
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img",
    "aria-label": `${name} over iterations ${x0} to ${x1}, from ${short(y0)} to ${short(y1)}` },
    draw("path", { class: "axis", d: `M${left} ${head}V${height - foot}H${width}` }),
    text(left - 6, head + 8, short(y1), "end"), text(left - 6, height - foot, short(y0), "end"),
    text(left, height - 4, `${x0}`, "start"), text(width - 4, height - 4, `${x1}`, "end"),
    ...series.map((each, number) => draw("path", {
      stroke: SERIES[number % SERIES.length],
      d: `M${each.points.map(([x, y]) => `${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join("L")}`,
    }, draw("title", {}, each.name))));
}
