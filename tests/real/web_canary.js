// Looks at every page for what a payload could have done; see web_canary.sh.
"use strict";
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const [base, file] = process.argv.slice(2);
const { payloads, jobs } = JSON.parse(fs.readFileSync(file, "utf8"));
const trouble = new Set();
const shown = new Set();
let passed = 0;

// Each of them has to be seen on some page, or the walk proves nothing of it.
const FIELDS = ["job", "account", "im", "target", "title", "text", "named-account", "reason", "reason-of-fire", "detail", "sender", "error",
  "message-id", "note", "part", "actor", "verb", "before", "after", "calendar", "source", "content-error", "stale-why", "list",
  "list-source", "list-error", "account-error", "tried", "filter"];

// Runs in the page, before anything of its own.
function listen() {
  window.violations = [];
  addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
}

// Runs in the page: all that is not ours.
function foreign() {
  const ours = new Set(("html head meta title link script body a header div nav svg rect circle path line g i text main section h1 h2 h3 p ul ol " +
    "li span b small time table thead tbody tr th td form input button label select option textarea dl dt dd pre details summary footer")
    .split(" "));
  const found = window.violations.map((what) => `the policy was violated: ${what}`);
  if (window.canary) found.push("a script ran");
  const told = [...document.querySelectorAll("body *")].filter((element) => element.localName !== "textarea");
  const text = told.map((element) => [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(" ")).join("\n");
  if (/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(text)) found.push("a mark turns the text around");
  if (text.includes("1337")) found.push("a template was worked out");
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    if (!ours.has(name)) found.push(`an element <${name}>`);
    if (name === "script" && !/^\/a\/script-/.test(element.getAttribute("src") ?? "")) found.push("a script");
    if (name === "meta" && element.hasAttribute("http-equiv")) found.push("a meta with http-equiv");
    for (const { name: key, value } of element.attributes) {
      if (/^on|^style$|^srcdoc$|^autofocus$|^formaction$|^ping$/.test(key)) found.push(`an attribute ${key} of <${name}>`);
      if (/^(href|src|action|data|poster|xlink:href)$/.test(key)) {
        const leads = new URL(value, location.href);
        if (leads.origin !== location.origin) found.push(`<${name} ${key}> leads to ${value.slice(0, 80)}`);
      }
    }
  }
  const fields = [document.title, document.body.innerHTML].join(" ").match(/f-[a-z-]+(?= )/g) ?? [];
  return { found: [...new Set(found)], fields: [...new Set(fields)] };
}

async function watched(context) {
  const page = await context.newPage();
  page.told = [];
  page.on("dialog", (dialog) => {
    page.told.push("a dialog opened");
    dialog.dismiss().catch(() => {});
  });
  page.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) page.told.push(`the browser says: ${message.text().slice(0, 120)}`);
  });
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(`${base}/`) && !to.startsWith("data:image")) page.told.push(`${to.slice(0, 80)} was asked for`);
  });
  await page.addInitScript(listen);
  return page;
}

// What is wrong with the page that is shown; it has been given the time in which a payload acts.
async function look(page) {
  await page.evaluate(() => new Promise((done) => setTimeout(done, 0)));
  const { found, fields } = await page.evaluate(foreign);
  const all = [...page.told.splice(0), ...found];
  return { all, fields };
}

// The look at pages that hold a payload alive: in a text, attributes, a title, an address, a field.
async function selfCheck(browser) {
  const alive = (payload) => `<!doctype html><title>t ${payload}</title><body><p>${payload}</p><p title="${payload}"></p><p title='${payload}'></p>
    <p title=${payload}></p><textarea>${payload}</textarea><pre>${payload}</pre><svg><title>${payload}</title></svg><a href="${payload}">x</a>`;
  const context = await browser.newContext({ bypassCSP: true });
  for (const [number, payload] of payloads.entries()) {
    // What is worked out, unescaped or decoded is no payload before that was done.
    const done = payload.replaceAll("7*191", "1337").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replace(/\\u003([ce])/g, (_, sign) => (sign === "c" ? "<" : ">"));
    const page = await watched(context);
    await page.route(`${base}/alive`, (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: alive(done) }));
    await page.route(/evil\.example/, (route) => route.abort());
    await page.goto(`${base}/alive`, { waitUntil: "commit" });
    await page.waitForLoadState("load").catch(() => {});
    const { all } = await look(page).catch(() => ({ all: ["it led away"] }));
    if (all.length > 0) passed += 1;
    else trouble.add(`payload ${number} is alive on a page, and nobody notices: ${payload}`);
    await page.close();
  }
  await context.close();
  // And what the policy stops is told by the policy.
  const strict = await browser.newContext();
  const page = await watched(strict);
  const policy = (await (await strict.request.get(`${base}/in`)).headers())["content-security-policy"];
  await page.route(`${base}/alive`, (route) => route.fulfill({ contentType: "text/html", headers: { "content-security-policy": policy }, body: alive(payloads[0]) }));
  await page.goto(`${base}/alive`);
  const { all } = await look(page);
  if (all.some((what) => what.startsWith("the policy was violated")) && !all.includes("a dialog opened")) passed += 1;
  else trouble.add(`the policy does not tell of a script: ${all.join("; ")}`);
  await strict.close();
}

// With the policy, whose violations are told wherever they are, each payload is looked at on two pages of its own; without, on all.
function places(isOn, ids) {
  const every = ["/", "/jobs", "/pushes", "/accounts", "/figures", "/acts", "/try", "/pushes?state=failed", "/pushes?state=retrying"];
  const all = every.flatMap((place) => ["en", "zh"].map((lang) => `${place}${place.includes("?") ? "&" : "?"}lang=${lang}`));
  for (const [number, payload] of payloads.entries()) {
    const job = `/jobs/${encodeURIComponent(jobs[number])}`;
    const filter = encodeURIComponent(`f-filter ${payload}`);
    all.push(`${job}?at=today&lang=${number % 2 ? "en" : "zh"}`);
    if (isOn) continue;
    all.push(`${job}/fire`, `/acts?job=${encodeURIComponent(jobs[number])}`);
    all.push(`/pushes?job=${filter}&target=${filter}&im=${filter}&account=${filter}`, `/jobs/${filter}`, `${job}?at=${filter}`);
    all.push(`/pushes?since=${filter}`, `/in?next=${filter}`);
  }
  return [...all, ...ids.flatMap((id) => (isOn ? [`/pushes/${id}`] : [`/pushes/${id}`, `/pushes/${id}/retry`, `/pushes/${id}/cancel`]))];
}

// A text in which every name and value is a payload, right and wrong.
function tried(from) {
  const quoted = (text) => JSON.stringify(text.replaceAll("${", "$${"));
  const some = payloads.slice(from, from + 20).map((payload, at) => [quoted(jobs[from + at].replace("f-job", "f-tried")), quoted(`f-tried ${payload}`)]);
  const right = some.map(([name, text]) => `  - {name: ${name}, cron: "0 9 * * *", push: {im: qq, group: ${text}, title: ${text}, text: ${text}}}`);
  const wrong = some.map(([name, text]) => `  - {name: ${name}, cron: ${text}, timezone: ${text}, push: {im: ${text}, account: ${text}, group: "1", ${text}: 1}}`);
  return `jobs:\n${[...right, ...wrong.slice(0, 10)].join("\n")}\n`;
}

async function all(browser, isOn, states, ids) {
  const rest = places(isOn, ids);
  const walkers = states.map(async (storageState, number) => {
    const context = await browser.newContext({ storageState, bypassCSP: !isOn });
    const page = await watched(context);
    const judge = async (place) => {
      const { all, fields } = await look(page);
      for (const what of all) trouble.add(`${isOn ? "" : "without the policy, "}${place}: ${what}`);
      for (const field of fields) shown.add(field.slice(2));
      passed += 1;
    };
    for (let place = rest.shift(); place !== undefined; place = rest.shift()) {
      const [answer] = await Promise.all([page.goto(`${base}${place}`, { waitUntil: "load" }), page.waitForTimeout(105)]);
      if (answer.status() === 429 || answer.status() >= 500) trouble.add(`${place}: ${answer.status()}`);
      await judge(place);
    }
    // One text is tried at a time.
    for (const from of number === 0 ? [0, 20] : []) {
      await page.goto(`${base}/try`);
      await page.fill("textarea", tried(from));
      await page.locator("main form button").click();
      await page.locator("#report").waitFor();
      if ((await page.locator("section h2[id^=job-]").count()) === 0) trouble.add("no job of the tried text is told");
      await judge("a text that is tried");
    }
    await context.close();
  });
  await Promise.all(walkers);
}

(async () => {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  await selfCheck(browser);
  const states = [];
  let ids = [];
  for (const number of [1, 2, 3, 4]) {
    const context = await browser.newContext();
    const page = await watched(context);
    await page.goto(`${base}/in`);
    await page.fill("input[name=name]", `walker${number}`);
    await page.fill("input[name=password]", "correct horse");
    await page.click("main button");
    await page.goto(`${base}/pushes`);
    ids = await page.locator("tbody a.id").allTextContents();
    states.push(await context.storageState());
    await context.close();
  }
  if (ids.length <= payloads.length) trouble.add(`pushes that are shown: ${ids.length}`);
  for (const isOn of [true, false]) await all(browser, isOn, states, ids);
  for (const field of FIELDS) if (!shown.has(field)) trouble.add(`no page shows the field ${field}`);
  await browser.close();
  for (const what of trouble) console.log(what);
  console.log(`${passed} passed, ${trouble.size} failed`);
  process.exit(trouble.size === 0 ? 0 : 1);
})();
