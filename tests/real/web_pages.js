// Walks the pages as people do; see web_pages.sh.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [base, link, shots] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const host = new URL(base).host;
const trouble = [];
let passed = 0;

function check(is, what) {
  if (is) passed += 1;
  else trouble.push(what);
}

// Two acts a second are for one session, and a browser that is driven is faster than a hand.
async function press(button) {
  await button.page().waitForTimeout(600);
  await button.click();
}

// A page of which everything that must not be is noted.
async function watched(context, name) {
  const page = await context.newPage();
  page.on("response", (response) => {
    if (response.status() === 429) trouble.push(`${name}: too fast for ${response.request().method()} ${response.url()}`);
  });
  page.on("dialog", (dialog) => {
    trouble.push(`${name}: a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    // A refusal that was asked for is no trouble.
    const isWanted = /status of (403|409|422)/.test(message.text());
    if (message.type() === "error" && !isWanted) trouble.push(`${name}: ${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => trouble.push(`${name}: ${page.url()}: ${error}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.protocol !== "data:" && ![host, new URL(link).host].includes(to.host)) trouble.push(`${name}: asked ${to.host}`);
  });
  return page;
}

async function signIn(page) {
  await page.goto(`${base}/pushes?state=unknown`);
  check(page.url().startsWith(`${base}/in?next=`), `not led to the sign-in: ${page.url()}`);
  await page.fill("input[name=name]", "alice");
  await page.fill("input[name=password]", "wrong");
  await page.click("main button");
  check((await page.textContent("[role=alert]")).length > 10, "a wrong password is not told");
  await page.fill("input[name=password]", "correct horse");
  await page.click("main button");
  check(page.url() === `${base}/pushes?state=unknown`, `not led on: ${page.url()}`);
}

// axe has to be let in past the policy, which is why it runs in a context of its own.
async function accessible(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    axe.run(document, {
      runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
      rules: { "target-size": { enabled: true } },
    }),
  );
  for (const violation of found.violations) {
    for (const node of violation.nodes.slice(0, 3)) {
      trouble.push(`${name}: axe ${violation.id}: ${node.html.slice(0, 200)}: ${(node.failureSummary ?? "").slice(0, 300)}`);
    }
  }
  check(true, name);
}

const PLACES = ["/", "/jobs", "/jobs/berlin-night", "/jobs/backup-done/fire", "/pushes", "/accounts", "/try", "/figures", "/acts"];

const BROKEN = `jobs:
  - name: report
    cron: "0 9 * *"
    push: {im: qq, group: "123456", text: "</textarea><img src=x onerror=alert(1)>"}
  - name: fine
    cron: "0 9 * * *"
    push: {im: qq, group: "123456", text: hi}
`;

async function looks(browser, state, unknown) {
  const places = [...PLACES, `/pushes/${unknown}`, `/pushes/${unknown}/retry`];
  for (const width of [390, 1280]) {
    for (const theme of ["light", "dark"]) {
      for (const lang of ["en", "zh"]) {
        const name = `${width}-${theme}-${lang}`;
        const context = await browser.newContext({ storageState: state, viewport: { width, height: 900 }, bypassCSP: true });
        const page = await watched(context, name);
        for (const place of places) {
          await page.goto(`${base}${place}?lang=${lang}&theme=${theme}`, { waitUntil: "load" });
          const file = `${place === "/" ? "now" : place.slice(1).replace(/\//g, "-")}-${name}.png`;
          await page.screenshot({ path: path.join(shots, file), fullPage: true });
          const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
          check(!isWide, `${file}: it scrolls sideways`);
          await accessible(page, file);
          // Ten reads a second are for one session.
          await page.waitForTimeout(130);
        }
        // Six texts a minute are for one user.
        if (width === 390 && lang === "zh") {
          const file = `tried-${name}.png`;
          await page.goto(`${base}/try?lang=${lang}&theme=${theme}`);
          await page.fill("textarea", BROKEN);
          await page.locator("main form button").click();
          await page.screenshot({ path: path.join(shots, file), fullPage: true });
          check(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), `${file}: it scrolls sideways`);
          await accessible(page, file);
        }
        await context.close();
      }
    }
  }
  const context = await browser.newContext({ viewport: { width: 320, height: 640 }, bypassCSP: true });
  const page = await watched(context, "sign-in");
  await page.goto(`${base}/in`);
  await page.screenshot({ path: path.join(shots, "in-320.png"), fullPage: true });
  await accessible(page, "sign-in at 320 px");
  await context.close();
}

// Every page under its own policy, which is off where axe is, and as narrow as a page may be made.
async function narrow(browser, state, unknown) {
  const context = await browser.newContext({ storageState: state, viewport: { width: 320, height: 640 } });
  const page = await watched(context, "320");
  for (const place of [...PLACES, `/pushes/${unknown}`, `/pushes/${unknown}/retry`]) {
    await page.goto(`${base}${place}`, { waitUntil: "load" });
    const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    check(!isWide, `${place} at 320 px: it scrolls sideways`);
    await page.waitForTimeout(130);
  }
  await context.close();
}

// The first key leads past the head, and whatever has the focus shows it.
async function keys(page) {
  await page.goto(`${base}/jobs`);
  await page.keyboard.press("Tab");
  check((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop is not the skip link");
  await page.keyboard.press("Enter");
  check((await page.evaluate(() => document.activeElement.id)) === "main", "the skip link leads nowhere");
  const seen = [];
  for (let count = 0; count < 5; count += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const [element, style] = [document.activeElement, getComputedStyle(document.activeElement)];
      return { text: element.textContent.trim(), isShown: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
    });
    check(stop.isShown, `the focus is not seen on: ${stop.text}`);
    seen.push(stop.text);
  }
  check(seen.includes("daily-report"), `the keys do not reach a job: ${seen.join(", ")}`);
}

// A broken text is told with line and column, and what of it is right is told too.
async function tried(page) {
  await page.goto(`${base}/try`);
  await page.fill("textarea", BROKEN);
  await page.locator("main form button").click();
  check((await page.textContent(".report")).includes("text:3:11: "), `the place is not told: ${await page.textContent("main")}`);
  check((await page.inputValue("textarea")) === BROKEN, "the text is not there to be mended");
  check((await page.locator("ol.rows li").count()) === 10, "the next fires are not told");
  check((await page.textContent("main")).includes("group:123456"), "it is not told who would carry the push");
}

async function walk(page) {
  await page.goto(`${base}/`);
  const needs = page.locator("[data-live=needs] li");
  const before = await needs.count();
  check(before === 2, `unknown pushes on the first page: ${before}`);
  check((await page.title()).startsWith("("), `the title counts nothing: ${await page.title()}`);
  await press(needs.first().getByRole("button").first());
  check(page.url() === `${base}/?done=sent`, `after the resolve: ${page.url()}`);
  check((await page.locator("[data-live=needs] li").count()) === before - 1, "the resolved push is still there");
  await page.goto(`${base}/jobs/daily-report`);
  await press(page.locator("form[action$='/pause'] button"));
  check(page.url().endsWith("?done=paused"), `after the pause: ${page.url()}`);
  await press(page.locator("form[action$='/resume'] button"));
  await page.locator("a[href$='/fire']").click();
  check((await page.textContent("main")).includes("group:123456"), "the sheet does not name the target");
  await press(page.locator("main form button"));
  check(/\/pushes\/\d+\?done=fired$/.test(page.url()), `after the fire: ${page.url()}`);
  await page.goto(`${base}/pushes`);
  await page.selectOption("select[name=state]", "sent");
  await page.fill("input[name=target]", "group:123456");
  await page.locator(".filter button").click();
  check(page.url().includes("state=sent") && page.url().includes("target=group"), `the filter is no address: ${page.url()}`);
  const rows = await page.locator("tbody tr").count();
  check(rows === 50, `rows of the filter: ${rows}`);
  await page.locator("a[rel=next]").click();
  check((await page.locator("tbody tr").count()) > 5, "the next page is empty");
  await tried(page);
  await page.goto(`${base}/acts`);
  const acts = await page.textContent("tbody");
  for (const verb of ["resolve", "pause", "resume", "fire"]) check(acts.includes(verb), `acts lack ${verb}`);
}

// A page renews itself when somebody else does something, but not under the hand of who is at work in it.
async function live(context) {
  const [one, other] = [await watched(context, "live"), await watched(context, "other")];
  await one.goto(`${base}/jobs/heartbeat-of-the-warehouse`);
  await one.waitForTimeout(1000);
  await other.goto(`${base}/jobs/heartbeat-of-the-warehouse`);
  await press(other.locator("form[action$='/pause'] button"));
  await one.locator("form[action$='/resume']").waitFor({ timeout: 15000 });
  check(true, "live");
  await one.locator("form[action$='/resume'] button").focus();
  await press(other.locator("form[action$='/resume'] button"));
  await one.waitForTimeout(6000);
  check((await one.locator("form[action$='/resume']").count()) === 1, "a region was exchanged under the focus");
  await one.locator("h2").first().evaluate(() => document.activeElement.blur());
  await one.locator("form[action$='/pause']").waitFor({ timeout: 15000 });
  await one.close();
  await other.close();
}

(async () => {
  fs.rmSync(shots, { recursive: true, force: true });
  fs.mkdirSync(shots, { recursive: true });
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

  // The link holds for two minutes, and the walk may take longer.
  const plain = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  const linked = await watched(plain, "without a script");
  await linked.goto(link);
  await linked.waitForURL((url) => url.pathname === "/");

  const scripted = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  await signIn(await watched(scripted, "with a script"));
  const state = await scripted.storageState();
  const page = await watched(scripted, "with a script");
  await page.goto(`${base}/pushes?state=unknown`);
  const unknown = (await page.locator("tbody a.id").first().textContent()).trim();
  check((await page.textContent("tbody")).includes("<img src=x onerror"), "the canary is not shown as it is");

  await looks(browser, state, unknown);
  await narrow(browser, state, unknown);
  await keys(page);
  await walk(page);
  await live(scripted);
  await scripted.close();

  // All the same without a script, let in by a link.
  await linked.reload();
  check((await linked.locator("nav a").count()) === 7, "the link let nobody in");
  const own = new URL(link).origin;
  await press(linked.locator("[data-live=needs] li form button").nth(1));
  check(linked.url() === `${own}/?done=failed`, `without a script: ${linked.url()}`);
  await linked.locator("footer form button").last().click();
  check(linked.url() === `${own}/in`, `after the sign-out: ${linked.url()}`);
  await linked.goto(`${own}/`);
  check(linked.url().includes("/in"), "the session outlived the sign-out");
  await plain.close();
  await browser.close();

})()
  // Whatever ends the walk, what was noted before says why.
  .catch((error) => trouble.push(`the walk broke off: ${error.stack}`))
  .then(() => {
    for (const what of trouble) console.log(what);
    console.log(`${passed} passed, ${trouble.length} failed`);
    process.exit(trouble.length === 0 ? 0 : 1);
  });
