"use strict";
// The page for people elsewhere: each act is signed by a passkey, for a challenge of the node. All
// HTML comes from the console, which escapes what it shows.
(() => {
  const KEY = "roastery-session";
  const OPENS = 1000; // ms until a decision is open
  const LOOKS = 5000; // ms between two looks at the node
  const policy = self.trustedTypes
    ? trustedTypes.createPolicy("fragment", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  const find = (selector, of = document) => of.querySelector(selector);
  const frame = find("#frame");
  const outside = find("#outside");
  let token = sessionStorage.getItem(KEY);
  let shown = ""; // the fragment that is shown
  let turn = 0; // the number of the page that was asked for last
  let acting = false;
  let opensAt = 0; // when decisions are open

  const parse = (text) => {
    const template = document.createElement("template");
    template.innerHTML = policy.createHTML(text);
    return template.content;
  };
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const here = () => location.pathname + location.search;
  const say = (text) => { find("#why").textContent = text; };

  const call = (path, body, headers = {}) =>
    fetch(path, {
      method: body === undefined ? "GET" : "POST",
      cache: "no-store",
      redirect: "error",
      headers: { "X-Roastery-Session": token ?? "", "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });

  // An answer in JSON, or an error with what was said.
  const ask = async (path, body) => {
    const answer = await call(path, body);
    const text = await answer.text();
    if (!answer.ok) throw Object.assign(new Error(text), { status: answer.status });
    return text.startsWith("{") ? JSON.parse(text) : text;
  };

  const close = (text) => {
    token = null;
    turn += 1;
    sessionStorage.removeItem(KEY);
    frame.hidden = true;
    frame.replaceChildren();
    shown = "";
    outside.hidden = false;
    if (text) say(text);
  };

  // What a passkey signs for a challenge.
  const sign = async ({ ticket, challenge, site, credential }) => {
    const allowed = credential ? [{ type: "public-key", id: bytes(credential) }] : [];
    const made = await navigator.credentials.get({
      publicKey: { challenge: bytes(challenge), rpId: site, userVerification: "required", allowCredentials: allowed, timeout: 110000 },
    });
    const { clientDataJSON, authenticatorData, signature } = made.response;
    return {
      ticket, credential: hex(made.rawId), client_data: hex(clientDataJSON),
      authenticator_data: hex(authenticatorData), signature: hex(signature),
    };
  };

  const signIn = async () => {
    say("Waiting for your passkey.");
    try {
      token = await ask("/sign-in", await sign(await ask("/sign-in/challenge", {})));
    } catch (error) {
      return close(`Not signed in: ${error.message}`);
    }
    sessionStorage.setItem(KEY, token);
    enter();
  };

  const enter = () => {
    outside.hidden = true;
    frame.hidden = false;
    show();
  };

  // A new passkey, which the terminal keeps when both show the same fingerprint.
  const enrol = async (code) => {
    const says = find("#added");
    says.textContent = "Waiting for your passkey.";
    try {
      const { name, challenge, site, others } = await ask("/passkeys/begin", { code });
      const user = crypto.getRandomValues(new Uint8Array(16));
      const made = await navigator.credentials.create({
        publicKey: {
          challenge: bytes(challenge),
          rp: { id: site, name: "Roastery" },
          user: { id: user, name, displayName: name },
          pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }],
          excludeCredentials: others.map((id) => ({ type: "public-key", id: bytes(id) })),
          authenticatorSelection: { residentKey: "required", userVerification: "required" },
          attestation: "none",
          timeout: 110000,
        },
      });
      const come = await ask("/passkeys", {
        code, client_data: hex(made.response.clientDataJSON),
        authenticator_data: hex(made.response.getAuthenticatorData()),
      });
      says.textContent = `The terminal asks for its fingerprint: ${come.fingerprint}`;
      find("#passkey-code").value = "";
    } catch (error) {
      says.textContent = `Not added: ${error.message}`;
    }
  };

  const put = (text) => {
    const open = [...frame.querySelectorAll("details[open]")].map((one) => one.id);
    frame.replaceChildren(parse(text));
    shown = text;
    for (const id of open) if (id) find(`#${id}`, frame)?.setAttribute("open", "");
    opensAt = Date.now() + OPENS;
    frame.dataset.shut = "";
    setTimeout(() => { if (Date.now() >= opensAt) delete frame.dataset.shut; }, OPENS + 10);
  };

  // Fetches the page of the address; by itself only if nothing is being decided.
  const show = async (byItself = false) => {
    if (!token || acting || (byItself && document.hidden)) return;
    const mine = byItself ? turn : ++turn;
    let answer, text;
    try {
      answer = await call("/fragment" + here(), undefined, byItself ? { "X-Roastery-Refresh": "1" } : {});
      text = await answer.text();
    } catch {
      document.body.classList.add("offline");
      return;
    }
    if (mine !== turn || acting) return;
    if (answer.status === 401) return close(text);
    document.body.classList.remove("offline");
    const was = find("#decide", frame)?.dataset.seen;
    const checked = find("#whole", frame)?.checked;
    if (byItself && text === shown) return;
    put(text);
    const now = find("#decide", frame)?.dataset.seen;
    if (byItself && was && was !== now) warn("This request has changed while it was shown. Look at all of it again.");
    else if (byItself && checked) find("#whole", frame).checked = true;
    if (!byItself) find("h1", frame)?.focus();
  };

  const warn = (text) => {
    const note = document.createElement("p");
    note.className = "notice bad";
    note.setAttribute("role", "alert");
    note.textContent = text;
    find("main", frame)?.prepend(note);
  };

  const act = async (form) => {
    if (acting || Date.now() < opensAt) return;
    acting = true;
    turn += 1;
    const sets = [...frame.querySelectorAll("form.act fieldset")];
    for (const set of sets) set.disabled = true;
    let signed;
    try {
      signed = await sign(await ask(`${form.dataset.act}/challenge`, { seen: form.dataset.seen }));
    } catch (error) {
      acting = false;
      if (error.status === 401) return close(error.message);
      for (const set of sets) set.disabled = false;
      return warn(`Not done: ${error.message}`);
    }
    let answer, text;
    try {
      answer = await call(form.dataset.act, signed);
      text = await answer.text();
    } catch {
      answer = null;
    }
    acting = false;
    if (!answer) {
      await show();
      return warn("It is not known whether your decision is in effect. Look at its state.");
    }
    if (answer.status === 401) return close(text);
    if (!answer.headers.get("Content-Type")?.startsWith("text/html")) {
      for (const set of sets) set.disabled = false;
      return warn(`Not done: ${text}`);
    }
    put(text);
    find("#told", frame)?.focus();
  };

  document.addEventListener("click", (click) => {
    const link = click.target.closest?.("a[href]");
    if (!link || click.button || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return;
    if (link.origin !== location.origin) return;
    click.preventDefault();
    history.pushState(null, "", link.pathname + link.search);
    show();
  });
  document.addEventListener("submit", (submit) => {
    submit.preventDefault();
    const form = submit.target;
    if (form.id === "sign-in") signIn();
    else if (form.id === "add-passkey") enrol(find("#passkey-code").value);
    else if (form.dataset.act) act(form);
  });
  // A key that is held presses no button again.
  document.addEventListener("keydown", (press) => {
    if (press.repeat && (press.key === "Enter" || press.key === " ")) press.preventDefault();
  });
  addEventListener("popstate", () => show());
  setInterval(() => { if (getSelection().isCollapsed) show(true); }, LOOKS);
  if (token) enter();
  else close();
})();
