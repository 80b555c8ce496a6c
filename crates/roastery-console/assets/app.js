"use strict";
// The console's page: it changes the code for a token, fetches fragments, follows the node's
// changes, and sends decisions. All HTML comes from the console, which escapes what it shows.
(() => {
  const KEY = "roastery-session";
  const policy = self.trustedTypes
    ? trustedTypes.createPolicy("fragment", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const find = (selector, of = document) => of.querySelector(selector);
  const frame = find("#frame");
  const opening = find("#open");
  const why = find("#why");
  const state = find("#state");
  let token = sessionStorage.getItem(KEY);
  let shown = ""; // the fragment that is shown
  let shownAt = new Date();
  let heard = 0; // when the stream was last heard of
  let nodeIsThere = true;
  let following = null;
  let refreshing = 0;
  let waits = null; // how many requests wait

  // The one place where text becomes HTML.
  const put = (text) => {
    frame.innerHTML = policy.createHTML(text);
    shown = text;
    shownAt = new Date();
  };

  const call = (path, options = {}) =>
    fetch(path, {
      ...options,
      cache: "no-store",
      redirect: "error",
      headers: { "X-Roastery-Session": token ?? "", ...options.headers },
    });

  const close = (reason) => {
    token = null;
    sessionStorage.removeItem(KEY);
    following?.abort();
    following = null;
    frame.hidden = true;
    frame.replaceChildren();
    shown = "";
    state.hidden = true;
    opening.hidden = false;
    if (reason) why.textContent = reason;
    find("#code").focus();
  };

  const enter = async (code) => {
    let answer;
    try {
      answer = await fetch("/sessions", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ code }),
      });
    } catch {
      return close("The console does not answer. In a terminal: roastery console");
    }
    const text = await answer.text();
    if (!answer.ok) return close(text);
    token = text;
    sessionStorage.setItem(KEY, token);
    opening.hidden = true;
    frame.hidden = false;
    find("#code").value = "";
    await show();
    follow();
  };

  const here = () => location.pathname + location.search;

  const say = (text) => {
    find("#said").textContent = text;
  };

  const tell = () => {
    const count = Number(find("#waiting")?.dataset.count ?? 0);
    if (waits !== null && count > waits) {
      say(count === 1 ? "1 request waits for you" : `${count} requests wait for you`);
    }
    waits = count;
    const title = find("h1", frame)?.textContent ?? "Roastery";
    document.title = `${count ? `(${count}) ` : ""}${title} · Roastery`;
  };

  // Shows the page of the address, and begins at its heading.
  const show = async () => {
    let answer, text;
    try {
      answer = await call("/fragment" + here());
      text = await answer.text();
    } catch {
      return mark();
    }
    if (answer.status === 401) return close(text);
    nodeIsThere = answer.status !== 503;
    put(text);
    waits = null;
    tell();
    scrollTo(0, 0);
    find("h1", frame)?.focus({ preventScroll: true });
    mark();
  };

  const go = (path) => {
    if (path !== here()) history.pushState(null, "", path);
    return show();
  };

  // Fetches the page anew and keeps what a person does in it.
  const refresh = async () => {
    if (!token || document.hidden) return;
    const at = here();
    let answer, text;
    try {
      answer = await call("/fragment" + at, { headers: { "X-Roastery-Refresh": "1" } });
      text = await answer.text();
    } catch {
      return mark();
    }
    if (answer.status === 401) return close(text);
    nodeIsThere = answer.status !== 503;
    // The last content stays while the node does not answer.
    if (nodeIsThere && at === here()) {
      if (text === shown) shownAt = new Date();
      else replace(text);
    }
    mark();
  };

  const replace = (text) => {
    const told = find("#told", frame);
    const seen = find("#decide", frame)?.dataset.seen;
    const values = [...frame.querySelectorAll("input")].map((input) => [input.id, input.value]);
    const open = [...frame.querySelectorAll("details[open]")].map((one) => one.id);
    const focus = document.activeElement;
    const key = focus && frame.contains(focus) ? focus.id || focus.getAttribute("href") : null;
    const wasHeading = focus?.tagName === "H1";
    const changed = find(".changed", frame);
    put(text);
    if (told) find("main", frame)?.prepend(told);
    for (const id of open) find(`#${id}`, frame)?.setAttribute("open", "");
    const decide = find("#decide", frame);
    if (decide && seen && decide.dataset.seen === seen && !changed) {
      for (const [id, value] of values) if (id) { const input = find(`#${id}`, frame); if (input) input.value = value; }
    } else if (decide && seen) {
      hold(decide);
    }
    const again = key && [...frame.querySelectorAll("[id], a[href]")].find((one) => one.id === key || one.getAttribute("href") === key);
    if (again) again.focus({ preventScroll: true });
    else if (wasHeading) find("h1", frame)?.focus({ preventScroll: true });
    tell();
  };

  // What has changed under a person's eyes is not decided before it was looked at again.
  const hold = (decide) => {
    for (const set of decide.querySelectorAll("fieldset")) set.disabled = true;
    const note = document.createElement("div");
    note.className = "changed";
    note.setAttribute("role", "alert");
    note.textContent = "This request has changed while it was shown. Look at all of it again. ";
    const button = document.createElement("button");
    button.type = "button";
    button.id = "looked";
    button.textContent = "I have looked at it again";
    button.addEventListener("click", () => {
      note.remove();
      for (const set of decide.querySelectorAll("fieldset")) set.disabled = false;
      find("button[type=submit]", decide)?.focus();
    });
    note.append(button);
    find("h2", decide)?.after(note);
  };

  // Whether what is shown is what the node says now.
  const mark = () => {
    if (!token) return;
    const age = Math.round((Date.now() - heard) / 1000);
    const alive = heard > 0 && age < 20;
    let is = "live";
    let text = "live";
    if (!alive || !nodeIsThere) {
      is = "offline";
      text = shown ? `offline, as of ${shownAt.toLocaleTimeString()}` : "offline";
    } else if (age >= 8) {
      is = "behind";
      text = `behind ${age} s`;
    }
    document.body.classList.toggle("offline", is === "offline");
    for (const set of frame.querySelectorAll("form.act fieldset")) {
      if (is === "offline") set.dataset.off = set.disabled = true;
      else if (set.dataset.off && !find(".changed", frame)) {
        set.disabled = false;
        delete set.dataset.off;
      }
    }
    if (state.textContent !== text) state.textContent = text;
    state.dataset.is = is;
    state.hidden = false;
  };

  const soon = () => {
    clearTimeout(refreshing);
    refreshing = setTimeout(refresh, 100);
  };

  const event = (name) => {
    heard = Date.now();
    if (name === "offline") nodeIsThere = false;
    if (name === "live" || name === "changed") soon();
    mark();
  };

  // Reads the changes as long as the session is there.
  const follow = async () => {
    const control = new AbortController();
    following = control;
    let pause = 500;
    while (token && !control.signal.aborted) {
      try {
        const answer = await call("/events", { signal: control.signal });
        if (answer.status === 401) return close(await answer.text());
        if (!answer.ok) throw new Error(answer.status);
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        heard = Date.now();
        soon();
        pause = 500;
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const blocks = (rest + value).split("\n\n");
          rest = blocks.pop();
          for (const block of blocks) event(/^event: ?(.*)$/m.exec(block)?.[1]);
        }
      } catch {
        if (control.signal.aborted) return;
      }
      heard = 0;
      mark();
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(pause * 2, 10000);
    }
  };

  const act = async (form) => {
    const input = (name) => form.elements[name]?.value ?? "";
    const sets = frame.querySelectorAll("form.act fieldset");
    const at = here();
    const body = { seen: form.dataset.seen, typed: input("typed"), reason: input("reason") };
    for (const set of sets) set.disabled = true;
    let answer, text;
    try {
      answer = await call(form.dataset.act, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      text = await answer.text();
    } catch {
      for (const set of sets) set.disabled = false;
      say("The console does not answer. It is not known whether the decision is in effect.");
      return mark();
    }
    if (answer.status === 401) return close(text);
    if (at !== here()) return;
    if (answer.headers.get("Content-Type")?.startsWith("text/html")) put(text);
    else say(text);
    tell();
    scrollTo(0, 0);
    find("#told", frame)?.focus({ preventScroll: true });
    mark();
  };

  document.addEventListener("click", (click) => {
    const link = click.target.closest?.("a[href]");
    if (!link || click.button || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    if (link.dataset.skip !== undefined) {
      click.preventDefault();
      find("main", frame)?.focus();
    } else if (link.origin === location.origin) {
      click.preventDefault();
      go(link.pathname + link.search);
    }
  });

  document.addEventListener("submit", (submit) => {
    const form = submit.target;
    if (form.method === "dialog") return;
    submit.preventDefault();
    if (form === opening) enter(find("#code").value);
    else if (form.dataset.act) act(form);
  });

  // Keys go to pages; none decides.
  const PLACES = { o: "/", r: "/requests", l: "/log" };
  let after = "";
  document.addEventListener("keydown", (press) => {
    if (!token || press.metaKey || press.ctrlKey || press.altKey || press.target.closest?.("input, dialog")) return;
    const key = press.key;
    const wasG = after === "g";
    after = key;
    if (wasG && PLACES[key]) go(PLACES[key]);
    else if (wasG && key === "w") { const link = find("header a[href^='/wallets/']"); if (link) go(link.pathname); }
    else if (key === "?") find("#keys").showModal();
    else if (key === "j" || key === "k") {
      const links = [...frame.querySelectorAll("ul.requests a")];
      const at = links.indexOf(document.activeElement);
      const next = key === "j" ? at + 1 : Math.max(at - 1, 0);
      links[Math.min(next, links.length - 1)]?.focus();
    }
  });

  addEventListener("popstate", show);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  setInterval(mark, 1000);
  // A text that is being selected is left alone.
  setInterval(() => { if (getSelection().isCollapsed) refresh(); }, 15000);

  const code = location.hash.slice(1);
  if (code) history.replaceState(null, "", here());
  if (code) enter(code);
  else if (token) show().then(() => { if (token) follow(); });
  else close();
})();
