// pushcron: what the pages cannot do without a script. They say and do all the rest without it.
"use strict";
(() => {
  const page = document.documentElement;
  const words = new Intl.RelativeTimeFormat(page.lang, { numeric: "auto", style: "short" });
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  // "in 3 min" beside every instant, for who points at it.
  function relate(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
      const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
      time.title = words.format(Math.round(seconds / size), unit);
    }
  }

  // The zone of this browser, to be chosen, never taken by itself.
  function offerZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const link = document.querySelector("[data-own-zone]");
    const place = link && new URL(link.href);
    if (!zone || !place) return;
    place.searchParams.set("tz", zone);
    link.href = place.href;
    link.title = zone;
    link.hidden = false;
  }

  // The days of a strip are one stop of the keys: arrows lead from day to day and from week to week, past those without a link.
  const steps = { ArrowLeft: -7, ArrowRight: 7, ArrowUp: -1, ArrowDown: 1 };

  function walk(event) {
    const from = event.target.closest?.("a[data-place]");
    if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
    const links = [...from.closest("svg").querySelectorAll("a[data-place]")];
    const last = Number(links.at(-1).dataset.place);
    let to = { Home: links[0], End: links.at(-1) }[event.key];
    for (let place = Number(from.dataset.place) + steps[event.key]; !to && place >= 0 && place <= last; place += steps[event.key]) {
      to = links.find((link) => Number(link.dataset.place) === place);
    }
    if (!to) return;
    event.preventDefault();
    for (const link of links) link.setAttribute("tabindex", link === to ? "0" : "-1");
    to.focus();
  }

  // --- live: a hint comes, the page is fetched anew, and its regions are exchanged ----------------------------------

  const button = document.querySelector("[data-pause]");
  let stream = null;
  let isPaused = false;
  let isFetching = false;
  let isMissed = false;

  try {
    isPaused = localStorage.getItem("pushcron-paused") === "yes";
  } catch {
    // No storage: it is live.
  }

  // What somebody is at work in, or has marked, stays as it is under their hand.
  function isInUse(region) {
    if (region.contains(document.activeElement) && document.activeElement !== document.body) return true;
    if (region.querySelector("details[open]")) return true;
    const selection = getSelection();
    return Boolean(selection && !selection.isCollapsed && selection.containsNode(region, true));
  }

  function exchange(fresh) {
    for (const region of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${region.dataset.live}"]`);
      if (!next) continue;
      const old = region.cloneNode(true);
      for (const time of old.querySelectorAll("time[title]")) time.removeAttribute("title");
      if (old.isEqualNode(next)) continue;
      if (isInUse(region)) {
        isMissed = true;
        continue;
      }
      relate(next);
      region.replaceWith(document.adoptNode(next));
    }
    if (fresh.title && fresh.title !== document.title) {
      document.title = fresh.title;
      document.querySelector("[data-told]").textContent = fresh.title;
    }
  }

  async function renew() {
    if (isFetching || isPaused || document.hidden) {
      isMissed = true;
      return;
    }
    [isFetching, isMissed] = [true, false];
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      // The session is over: the page stays as it is until somebody does something.
      if (answer.redirected) return close();
      if (answer.ok) exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The daemon is away: the stream comes back with it.
    } finally {
      isFetching = false;
    }
  }

  function open() {
    if (stream || isPaused || document.hidden) return;
    stream = new EventSource(button.dataset.pause);
    stream.addEventListener("changed", renew);
    stream.addEventListener("open", () => show(button.dataset.on));
    stream.addEventListener("error", () => {
      if (stream?.readyState === EventSource.CLOSED) {
        stream = null;
        show(button.dataset.off);
      }
    });
  }

  // A browser has six connections for all its tabs: one that nobody sees holds none.
  function close() {
    stream?.close();
    stream = null;
  }

  function show(text) {
    button.textContent = text;
  }

  function pause() {
    isPaused = !isPaused;
    try {
      localStorage.setItem("pushcron-paused", isPaused ? "yes" : "no");
    } catch {
      // Then for this page alone.
    }
    if (isPaused) {
      close();
    } else {
      renew();
      open();
    }
    show(isPaused ? button.dataset.paused : button.dataset.on);
  }

  function live() {
    button.hidden = false;
    button.addEventListener("click", pause);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return close();
      renew();
      open();
    });
    document.addEventListener("focusout", () => setTimeout(() => isMissed && renew(), 500));
    show(isPaused ? button.dataset.paused : button.dataset.on);
    open();
  }

  document.addEventListener("keydown", walk);
  relate(document);
  setInterval(() => relate(document), 30000);
  offerZone();
  if (button && document.querySelector("[data-live]")) live();
})();
