// Talks to the server; what it refuses is an Error with its sentence.

/** Who this page is to the server: as long as the tab lives, reloaded or not. */
export const visitor = (() => {
  let identity = sessionStorage.getItem("visitor");
  if (!identity) {
    identity = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("visitor", identity);
  }
  return identity;
})();

export const query = (values) => new URLSearchParams(values).toString();

export async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.status === 204 ? null : answer.json();
}

async function reason(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error;
  } catch {
    return text || `the server answered ${answer.status}`;
  }
}

/** Make an element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The same in SVG, with attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
