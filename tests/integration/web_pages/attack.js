// Every way in which a page can make a browser ask somebody else's server. Each vector gets an address and a body, and
// returns what the page could see of the answer. Names that begin with "post" send the body.
"use strict";

let patienceMs = 25000; // for what may never say anything

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const within = (promise) => Promise.race([promise, pause(patienceMs).then(() => ["nothing"])]);

async function until(condition, atMostMs) {
  for (const end = performance.now() + atMostMs; performance.now() < end && !condition(); ) await pause(20);
}

const here = (path, parameters) => `${location.origin}${path}?${new URLSearchParams(parameters)}`;

function element(tag, attributes, parent = document.body) {
  const made = document.createElement(tag);
  const seen = new Promise((done) => {
    for (const kind of ["load", "error", "abort", "loadedmetadata", "canplay"]) {
      made.addEventListener(kind, () => done([kind]));
    }
  });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return [made, seen];
}

async function watched(tag, attributes, look = () => []) {
  const [made, seen] = element(tag, attributes);
  const events = await within(seen);
  return [...events, ...look(made)];
}

function lookInto(frame) {
  const seen = [];
  const attempt = (name, read) => {
    try {
      seen.push(`${name}: ${read()}`);
    } catch (error) {
      seen.push(`${name}: ${error.name}`);
    }
  };
  attempt("text", () => frame.contentDocument && frame.contentDocument.body.innerText);
  attempt("address", () => frame.contentWindow.location.href);
  attempt("frames", () => frame.contentWindow.length);
  return seen;
}

const framed = (attributes) => watched("iframe", attributes, lookInto);

let serial = 0;
async function submitted(method, url, body, options = {}) {
  const name = `frame${serial++}`;
  const [frame] = element("iframe", { name });
  const seen = new Promise((done) => frame.addEventListener("load", () => done(["load"])));
  const target = new URL(url);
  const [form] = element("form", { method, target: name, action: url, ...options });
  const fields = method === "get" ? [...target.searchParams] : [["row", body]];
  for (const [key, value] of fields) element("input", { type: "hidden", name: key, value }, form);
  form.submit();
  return [...(await within(seen)), ...lookInto(frame)];
}

// Whether a window that was opened has arrived, as far as this page may know.
function arrived(other) {
  try {
    return other.location.href !== "about:blank" && other.document.readyState === "complete";
  } catch {
    return false; // it has gone where this page may not look: our hold on it ends, or nothing more comes
  }
}

async function opened(open) {
  const other = open();
  if (!other) return ["no window"];
  await until(() => other.closed || arrived(other), patienceMs);
  const seen = [`closed: ${other.closed}`];
  try {
    seen.push(`frames: ${other.length}`, `text: ${other.document.body.innerText}`);
  } catch (error) {
    seen.push(error.name);
  }
  if (!other.closed) other.close();
  return seen;
}

async function fetched(url, options) {
  try {
    const answer = await fetch(url, options);
    return [answer.type, answer.status, await answer.text(), [...answer.headers].filter(([name]) => name !== "date").join("|")];
  } catch (error) {
    return [error.name];
  }
}

const told = (sender) =>
  within(
    new Promise((done) => {
      for (const kind of ["open", "message", "error", "close"]) {
        sender.addEventListener(kind, (event) => {
          if (sender.close) sender.close();
          done([kind, event.code, event.data]);
        });
      }
    }),
  );

const script = (source) => `data:text/html,${encodeURIComponent(`<script>${source}</script>`)}`;
const reporting = (url, options) =>
  `fetch(${JSON.stringify(url)}, ${JSON.stringify(options)}).then(async (a) => [a.type, a.status, await a.text()],
   (error) => [error.name]).then((seen) => parent.postMessage(seen, "*"))`;

function fromFrame(attributes) {
  const [frame] = element("iframe", attributes);
  return within(
    new Promise((done) =>
      addEventListener("message", (event) => event.source === frame.contentWindow && done(event.data)),
    ),
  );
}

const VECTORS = {
  script: (url) => watched("script", { src: url }, () => [`leaked: ${window.leaked}`]),
  "script module": (url) => watched("script", { src: url, type: "module" }),
  img: (url) => watched("img", { src: url }, (image) => [image.naturalWidth]),
  "img without referrer": (url) => watched("img", { src: url, referrerpolicy: "no-referrer" }, (i) => [i.naturalWidth]),
  "img crossorigin": (url) => watched("img", { src: url, crossorigin: "anonymous" }, (image) => [image.naturalWidth]),
  "img by redirect": (url) => watched("img", { src: here("/redirect", { to: url }) }, (image) => [image.naturalWidth]),
  "input image": (url) => watched("input", { type: "image", src: url }),
  iframe: (url) => framed({ src: url }),
  "iframe sandboxed": (url) => framed({ src: url, sandbox: "" }),
  "iframe by meta refresh": (url) => framed({ src: here("/refresh", { to: url }) }).then(() => pause(500)).then(() => []),
  "iframe by redirect": (url) => framed({ src: here("/redirect", { to: url }) }),
  "iframe by location": (url) => framed({ srcdoc: `<script>location = ${JSON.stringify(url)}</script>` }).then(() => []),
  object: (url) => watched("object", { data: url }),
  embed: (url) => watched("embed", { src: url, type: "text/html" }),
  video: (url) => watched("video", { src: url, preload: "auto" }),
  audio: (url) => watched("audio", { src: url, preload: "auto" }),
  stylesheet: (url) => watched("link", { rel: "stylesheet", href: url }, (link) => [String(link.sheet)]),
  "stylesheet import": (url) => {
    const [made, seen] = element("style", {});
    made.textContent = `@import url(${JSON.stringify(url)});`;
    return within(seen);
  },
  "css background": async (url) => {
    element("div", { style: `background: url(${JSON.stringify(url)}); width: 9px; height: 9px` });
    await pause(500);
    return [];
  },
  font: (url) =>
    new FontFace("stolen", `url(${JSON.stringify(url)})`).load().then(
      () => ["loaded"],
      (error) => [error.name],
    ),
  "svg image": async (url) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const image = document.createElementNS("http://www.w3.org/2000/svg", "image");
    const events = new Promise((done) => ["load", "error"].forEach((k) => image.addEventListener(k, () => done([k]))));
    image.setAttribute("href", url);
    svg.append(image);
    document.body.append(svg);
    return within(events);
  },
  prefetch: (url) => watched("link", { rel: "prefetch", href: url }),
  preload: (url) => watched("link", { rel: "preload", as: "script", href: url }),
  modulepreload: (url) => watched("link", { rel: "modulepreload", href: url }),
  "worker importing": (url) => {
    const source = `try { importScripts(${JSON.stringify(url)}); postMessage("imported") } catch (e) { postMessage(e.name) }`;
    const worker = new Worker(URL.createObjectURL(new Blob([source])));
    return told({ addEventListener: worker.addEventListener.bind(worker) });
  },
  "event source": (url) => told(new EventSource(url)),
  websocket: (url) => told(new WebSocket(url.replace("http", "ws"))),
  xhr: (url) =>
    within(
      new Promise((done) => {
        const request = new XMLHttpRequest();
        request.onloadend = () => done([request.status, request.responseText]);
        request.open("GET", url);
        request.send();
      }),
    ),
  "fetch cors": (url) => fetched(url, {}),
  "fetch no-cors": (url) => fetched(url, { mode: "no-cors" }),
  "fetch no-cors without referrer": (url) => fetched(url, { mode: "no-cors", referrerPolicy: "no-referrer" }),
  "fetch no-cors with credentials": (url) => fetched(url, { mode: "no-cors", credentials: "include" }),
  "fetch no-cors by redirect": (url) => fetched(here("/redirect", { to: url }), { mode: "no-cors" }),
  "fetch like a person": (url) => fetched(url, { mode: "no-cors", headers: { Accept: "text/html" } }),
  "fetch head": (url) => fetched(url, { method: "HEAD", mode: "no-cors" }),
  "fetch preflighted": (url) => fetched(url, { headers: { "X-ClickHouse-User": "default" } }),
  "fetch of a sandboxed frame": (url) =>
    fromFrame({ sandbox: "allow-scripts", srcdoc: `<script>${reporting(url, { mode: "no-cors" })}</script>` }),
  "fetch of a data frame": (url) => fromFrame({ src: script(reporting(url, {})) }),
  "form get": (url) => submitted("get", url),
  "link into a frame": async (url) => {
    const name = `frame${serial++}`;
    const [frame] = element("iframe", { name });
    const seen = new Promise((done) => frame.addEventListener("load", () => done(["load"])));
    const [link] = element("a", { href: url, target: name });
    link.click();
    return [...(await within(seen)), ...lookInto(frame)];
  },
  "link noopener": async (url) => {
    const [link] = element("a", { href: url, target: "_blank", rel: "noopener noreferrer" });
    link.click();
    await pause(500);
    return [];
  },
  "link download": async (url) => {
    const [link] = element("a", { href: url, download: "x", target: "_blank" });
    link.click();
    await pause(500);
    return [];
  },
  "window.open": (url) => opened(() => open(url)),
  "window.open then location": (url) =>
    opened(() => {
      const other = open("about:blank");
      other.location = url;
      return other;
    }),
  "post fetch no-cors": (url, body) => fetched(url, { method: "POST", mode: "no-cors", body }),
  "post fetch cors": (url, body) => fetched(url, { method: "POST", body }),
  "post fetch without referrer": (url, body) =>
    fetched(url, { method: "POST", mode: "no-cors", body, referrerPolicy: "no-referrer" }),
  "post fetch keepalive": (url, body) => fetched(url, { method: "POST", mode: "no-cors", body, keepalive: true }),
  "post fetch of a sandboxed frame": (url, body) =>
    fromFrame({
      sandbox: "allow-scripts",
      srcdoc: `<script>${reporting(url, { method: "POST", mode: "no-cors", body })}</script>`,
    }),
  "post xhr": (url, body) =>
    within(
      new Promise((done) => {
        const request = new XMLHttpRequest();
        request.onloadend = () => done([request.status, request.responseText]);
        request.open("POST", url);
        request.send(body);
      }),
    ),
  "post beacon": async (url, body) => [navigator.sendBeacon(url, body), await pause(300)],
  "post ping": async (url) => {
    const name = `frame${serial++}`;
    element("iframe", { name });
    const [link] = element("a", { href: "about:blank#ping", ping: url, target: name });
    link.click();
    await pause(500);
    return [];
  },
  "post form text": (url, body) => submitted("post", url, body, { enctype: "text/plain" }),
  "post form urlencoded": (url, body) => submitted("post", url, body),
  "post form multipart": (url, body) => submitted("post", url, body, { enctype: "multipart/form-data" }),
  "post form without referrer": (url, body) =>
    submitted("post", url, body, { enctype: "text/plain", rel: "noreferrer" }),
  "post form by redirect": (url, body) =>
    submitted("post", here("/redirect", { to: url, keep: "1" }), body, { enctype: "text/plain" }),
  "post csp report": async (url) => {
    element("iframe", { src: here("/policy", { report: url }) });
    await pause(1000);
    return [];
  },
};

// {vector: {name of the address: what was seen}}, of all vectors at once. Each request says which it is: query_id.
async function attack(addresses, patience = patienceMs) {
  patienceMs = patience;
  const seen = {};
  const one = async (vector, name, address) => {
    const url = `${address}&query_id=${encodeURIComponent(`${vector}/${name}`)}`;
    const known = await VECTORS[vector](url, `a row by ${vector}`);
    const entries = () => performance.getEntriesByType("resource").filter((entry) => entry.name === url);
    await until(() => entries().length > 0, 1000);
    const timings = entries();
    const facts = timings.flatMap((e) => [e.transferSize, e.encodedBodySize, e.decodedBodySize, e.responseStatus]);
    seen[vector][name] = JSON.stringify([known, facts.filter((fact) => fact !== 0)]);
  };
  await Promise.all(
    Object.keys(VECTORS).flatMap((vector) => {
      seen[vector] = {};
      return Object.entries(addresses).map(([name, address]) => one(vector, name, address));
    }),
  );
  return seen;
}
