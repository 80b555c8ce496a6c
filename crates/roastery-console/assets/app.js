"use strict";
// The console's page: it changes the code for a token, fetches fragments, follows the node's
// changes, and sends decisions. All HTML comes from the console, which escapes what it shows.
(() => {
  const KEY = "roastery-session";
  const OPENS = 1000; // ms until a decision is open
  const PATIENCE = 90000; // ms for a page
  const GONE = 30000; // ms without any answer until the console counts as ended
  const UNKNOWN = "It is not known whether your decision is in effect.";
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
  let turn = 0; // the number of the page that was asked for last; answers of earlier ones are dropped
  let asking = null; // what aborts the page that is being fetched
  let acting = 0; // the turn of the decision that is on its way
  let again = false; // a change came while a page was being fetched
  let good = 0; // when the last good answer was asked for
  let wanted = 0; // when the first change came that is not shown
  let heard = 0; // when the stream was last heard of
  let nodeIsThere = true;
  let following = null;
  let timer = 0;
  let waits = null; // how many requests wait
  let looked = null; // the request that a person looks at, and what of it was looked at
  let opensAt = 0; // when decisions are open again
  let refused = 0; // calls without any answer, one after the other, and since when
  let refusedSince = 0;

  // The one place where text becomes HTML.
  const parse = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template.content;
  };

  const put = (text) => {
    frame.replaceChildren(parse(text));
    shown = text;
  };

  const call = async (path, options = {}) => {
    try {
      const answer = await fetch(path, {
        ...options,
        cache: "no-store",
        redirect: "error",
        headers: { "X-Roastery-Session": token ?? "", ...options.headers },
      });
      refused = 0;
      return answer;
    } catch (error) {
      if (!options.signal?.aborted && !refused++) refusedSince = Date.now();
      throw error;
    }
  };

  const close = (reason) => {
    token = null;
    turn += 1;
    sessionStorage.removeItem(KEY);
    following?.abort();
    asking?.abort();
    following = asking = looked = waits = null;
    refused = good = heard = wanted = acting = 0;
    frame.hidden = true;
    frame.replaceChildren();
    find("#notices").replaceChildren();
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

  // What has become of a decision whose page is not shown any more. It stays until it is closed.
  const notice = (text, kind = "bad") => {
    const note = document.createElement("p");
    note.className = `notice ${kind}`;
    const words = document.createElement("bdi");
    words.textContent = text;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Close";
    button.addEventListener("click", () => note.remove());
    note.append(words, " ", button);
    find("#notices").append(note);
  };

  const tell = () => {
    const count = Number(find("#waiting")?.dataset.count ?? 0);
    if (waits !== null && count > waits) {
      say(count === 1 ? "1 request waits for you" : `${count} requests wait for you`);
    }
    waits = count;
  };

  // A button that has just come under a finger does nothing yet.
  const shut = () => {
    opensAt = Date.now() + OPENS;
    frame.dataset.shut = "";
    setTimeout(() => { if (Date.now() >= opensAt) delete frame.dataset.shut; }, OPENS + 10);
  };

  // Fetches a page. What was being fetched before is not waited for any more.
  const ask = async (path, options) => {
    asking?.abort();
    const control = new AbortController();
    asking = control;
    const end = setTimeout(() => control.abort(), PATIENCE);
    try {
      const answer = await call(path, { ...options, signal: control.signal });
      return { status: answer.status, text: await answer.text() };
    } finally {
      clearTimeout(end);
      if (asking === control) asking = null;
    }
  };

  const answered = (status, at) => {
    nodeIsThere = status !== 503;
    if (!nodeIsThere) return;
    good = at;
    if (wanted && wanted <= at) wanted = 0;
  };

  const look = (decide) => {
    looked = decide && { at: here(), seen: decide.dataset.seen };
  };

  // Shows the page of the address, and begins at its heading.
  const show = async () => {
    if (!token) return;
    const mine = ++turn;
    const begun = Date.now();
    const main = find("main", frame) ?? frame.appendChild(document.createElement("main"));
    const loading = document.createElement("p");
    loading.className = "quiet";
    loading.textContent = "Loading";
    main.replaceChildren(loading);
    main.setAttribute("aria-busy", "true");
    shown = "";
    looked = null;
    waits = null;
    let answer;
    try {
      answer = await ask("/fragment" + here());
    } catch {
      if (mine === turn) loading.textContent = "The console does not answer. This page comes when it does.";
      return mark();
    }
    if (mine !== turn) return;
    if (answer.status === 401) return close(answer.text);
    answered(answer.status, begun);
    put(answer.text);
    shut();
    look(find("#decide", frame));
    tell();
    scrollTo(0, 0);
    find("h1", frame)?.focus({ preventScroll: true });
    mark();
    if (again) soon();
  };

  const go = (path) => {
    if (path !== here()) history.pushState(null, "", path);
    return show();
  };

  // Fetches the page anew and keeps what a person does in it. One at a time.
  const refresh = async () => {
    if (!token || document.hidden) return;
    if (asking || acting === turn) {
      again = true;
      return;
    }
    again = false;
    const mine = turn;
    const begun = Date.now();
    let answer;
    try {
      answer = await ask("/fragment" + here(), { headers: { "X-Roastery-Refresh": "1" } });
    } catch {
      return mark();
    }
    if (mine !== turn) return;
    if (answer.status === 401) return close(answer.text);
    answered(answer.status, begun);
    // The last content stays while the node does not answer.
    if ((nodeIsThere || !shown) && answer.text !== shown) replace(answer.text);
    mark();
    if (again) soon();
  };

  const place = () => find("#approve, #reject, #propose", frame)?.getBoundingClientRect().top;

  const replace = (text) => {
    const fresh = parse(text);
    const was = place();
    const [old, main] = [find("main", frame), find("main", fresh)];
    // A form in which a person types stays as it is, with what it was answered.
    const kept = [...frame.querySelectorAll("[data-keep]")];
    const told = find("#told", frame);
    const values = [...frame.querySelectorAll("input")].map((input) => [input.id, input.value, input.checked]);
    const open = [...frame.querySelectorAll("details[open]")].map((one) => one.id);
    const focus = document.activeElement;
    const key = focus && frame.contains(focus) ? focus.id || focus.getAttribute("href") : null;
    const wasHeading = focus?.tagName === "H1";
    for (const form of kept) find(`#${form.id}`, fresh)?.replaceWith(form);
    frame.replaceChildren(fresh);
    shown = text;
    if (told) main?.prepend(told);
    for (const id of open) if (id) find(`#${id}`, frame)?.setAttribute("open", "");
    const decide = find("#decide", frame);
    const same = decide && looked?.seen === decide.dataset.seen;
    if (same) {
      for (const [id, value, checked] of values) {
        const input = id && find(`#${id}`, frame);
        if (input) Object.assign(input, { value, checked });
      }
    } else if (decide && looked) {
      hold(decide);
    } else if (decide) {
      look(decide);
    }
    if (decide && (!same || !old || was !== place())) shut();
    const focused = key && [...frame.querySelectorAll("[id], a[href]")].find((one) => one.id === key || one.getAttribute("href") === key);
    if (focused) focused.focus({ preventScroll: true });
    else if (wasHeading) find("h1", frame)?.focus({ preventScroll: true });
    tell();
  };

  // What has changed under a person's eyes is not decided before it was looked at again.
  const hold = (decide) => {
    for (const set of decide.querySelectorAll("fieldset")) set.disabled = true;
    if (find(".changed", decide)) return;
    const note = document.createElement("div");
    note.className = "changed";
    note.setAttribute("role", "alert");
    note.textContent = looked?.why ?? "This request has changed while it was shown. Look at all of it again. ";
    const button = document.createElement("button");
    button.type = "button";
    button.id = "looked";
    button.textContent = "I have looked at it again";
    button.addEventListener("click", () => {
      note.remove();
      look(decide);
      shut();
      for (const set of decide.querySelectorAll("fieldset")) set.disabled = false;
      find("h1", frame)?.focus();
      mark();
    });
    note.append(button);
    find("h2", decide)?.after(note);
  };

  // Whether what is shown is what the node says now: by the last good answer.
  const mark = () => {
    if (!token) return;
    const now = Date.now();
    if (refused > 2 && now - refusedSince > GONE) return close("The console has ended. In a terminal: roastery console");
    const silent = heard ? now - heard : Infinity;
    const age = Math.round((now - good) / 1000);
    let is = "live";
    let text = "live";
    if (silent > 20000 || !nodeIsThere) {
      is = "offline";
      text = good ? `offline, as of ${new Date(good).toLocaleTimeString([], { hour12: false })}` : "offline";
    } else if (good && (silent > 8000 || age >= 20 || (wanted && now - wanted > 2000))) {
      is = "behind";
      text = `behind ${age - (age % 5)} s`;
    }
    document.body.classList.toggle("offline", is === "offline");
    for (const set of frame.querySelectorAll("form.act fieldset, form.ask fieldset")) {
      if (is === "offline") set.dataset.off = set.disabled = true;
      else if (set.dataset.off && !find(".changed", frame) && acting !== turn) {
        set.disabled = false;
        delete set.dataset.off;
      }
    }
    if (state.textContent !== text) state.textContent = text;
    state.dataset.is = is;
    state.hidden = false;
  };

  // At the latest half a second after the first change, however many follow.
  const soon = () => {
    timer ||= setTimeout(() => {
      timer = 0;
      refresh();
    }, Date.now() - good > 1000 ? 50 : 400);
  };

  const event = (name) => {
    heard = Date.now();
    if (name === "offline") nodeIsThere = false;
    if (name === "live" || name === "changed") {
      wanted ||= heard;
      soon();
    }
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
    if (Date.now() < opensAt) return;
    if (acting) return notice("Another decision is on its way. This one was not sent.");
    const input = (name) => form.elements[name]?.value ?? "";
    const about = `${form.dataset.about ?? "Request"} ${form.dataset.act.split("/")[2].slice(0, 8)}: `;
    const body = { seen: form.dataset.seen, typed: input("typed"), reason: input("reason") };
    asking?.abort();
    const mine = ++turn;
    acting = mine;
    const begun = Date.now();
    const sets = [...frame.querySelectorAll("form.act fieldset")];
    for (const set of sets) set.disabled = true;
    say("Your decision is on its way.");
    let answer, text;
    try {
      answer = await call(form.dataset.act, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      text = await answer.text();
    } catch {
      answer = null;
    }
    acting = 0;
    if (!token) return;
    if (!answer) {
      notice(about + UNKNOWN);
      if (mine === turn) {
        looked = { at: here(), seen: null, why: UNKNOWN + " Look at its state. " };
        const decide = find("#decide", frame);
        if (decide) hold(decide);
        soon();
      }
      return mark();
    }
    if (answer.status === 401) return close(text);
    if (!answer.headers.get("Content-Type")?.startsWith("text/html")) {
      notice(`${about}Not done: ${text}`);
      if (mine === turn) for (const set of sets) set.disabled = false;
      return mark();
    }
    const told = find("#told", parse(text));
    if (mine !== turn) {
      notice(about + (told?.textContent ?? UNKNOWN), told?.dataset.done === "yes" ? "good" : "bad");
      return mark();
    }
    answered(answer.status, begun);
    // A draft that was proposed is a request.
    const to = answer.headers.get("X-Roastery-Place");
    if (to) history.replaceState(null, "", to);
    put(text);
    shut();
    const decide = find("#decide", frame);
    if (told?.dataset.done === "unknown") {
      looked = { at: here(), seen: null, why: UNKNOWN + " Look at its state. " };
      if (decide) hold(decide);
    } else if (told?.dataset.done === "no" && decide && looked?.seen !== decide.dataset.seen) {
      hold(decide);
    } else {
      look(decide);
    }
    tell();
    scrollTo(0, 0);
    find("#told", frame)?.focus({ preventScroll: true });
    mark();
    if (again) soon();
  };

  // Sends a form that decides nothing. Its answer stands below it, or is a page of its own.
  const askFor = async (form) => {
    if (Date.now() < opensAt || form.dataset.asks) return;
    const mine = turn;
    const body = {};
    for (const field of form.elements) {
      if (field.name) body[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    const set = find("fieldset", form);
    const says = find(".answer", form);
    const reply = (...content) => (turn === mine ? says.replaceChildren(...content) : null);
    form.dataset.asks = "";
    set.disabled = true;
    reply("The node is asked.");
    const control = new AbortController();
    const end = setTimeout(() => control.abort(), PATIENCE);
    let answer, text;
    try {
      answer = await call(form.dataset.ask, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: control.signal,
      });
      text = await answer.text();
    } catch {
      answer = null;
    }
    clearTimeout(end);
    delete form.dataset.asks;
    if (!set.dataset.off) set.disabled = false;
    if (!token) return;
    if (!answer) return reply("There is no answer. It can be asked again.");
    if (answer.status === 401) return close(text);
    const to = answer.headers.get("X-Roastery-Place");
    if (to && turn === mine) return go(to);
    reply(answer.headers.get("Content-Type")?.startsWith("text/html") ? parse(text) : text);
  };

  // Fetches what is to be saved as a file.
  const save = async (button) => {
    button.disabled = true;
    let answer, text;
    try {
      answer = await call(button.dataset.file);
      text = await answer.text();
    } catch {
      answer = null;
    }
    button.disabled = false;
    if (!token) return;
    if (answer?.status === 401) return close(text);
    if (!answer?.ok) return notice(`Not saved: ${answer ? text : "there is no answer"}`);
    document.dispatchEvent(new CustomEvent("save", { detail: { base64: text, name: button.dataset.name } }));
  };

  document.addEventListener("click", (click) => {
    const button = click.target.closest?.("button[data-file]");
    if (button) return save(button);
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
    else if (form.dataset.ask) askFor(form);
  });

  // Keys go to pages; none decides.
  const PLACES = { o: "/", r: "/requests", l: "/log", s: "/settings" };
  let after = "";
  document.addEventListener("keydown", (press) => {
    // A key that is held presses no button and no link again.
    if (press.repeat && (press.key === "Enter" || press.key === " ") && press.target.closest?.("button, form, a")) {
      press.preventDefault();
      return;
    }
    if (!token || press.metaKey || press.ctrlKey || press.altKey || press.target.closest?.("input, textarea, dialog")) return;
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
  setInterval(() => { if (getSelection().isCollapsed) soon(); }, 15000);
  if (token) show().then(() => { if (token) follow(); });
  else close();
})();
