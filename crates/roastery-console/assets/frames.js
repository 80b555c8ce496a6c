"use strict";
// A series of QR codes: its codes are shown by turns, or step by step. Without this script all of
// them stand below each other.
(() => {
  const PACE = 250; // ms for a code; what readers of BBQr are made for
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const find = (id) => document.getElementById(id);
  let series = ""; // the series that is shown
  let at = 0;
  let runs = false;

  const codes = () => [...(find("codes")?.children ?? [])];

  const show = () => {
    const all = codes();
    if (all.length < 2) return;
    at = (at + all.length) % all.length;
    all.forEach((code, number) => { code.hidden = number !== at; });
    find("code-run").textContent = runs ? "Stop" : "Run";
    find("steps").hidden = false;
  };

  // The page is fetched anew from time to time; the series goes on where it is.
  const look = () => {
    const now = find("codes")?.dataset.series ?? "";
    if (now !== series) {
      series = now;
      at = 0;
      runs = !still.matches;
    }
    show();
  };

  const step = (by) => {
    runs = false;
    at += by;
    show();
  };

  document.addEventListener("click", (click) => {
    if (click.target.id === "code-back") step(-1);
    else if (click.target.id === "code-next") step(1);
    else if (click.target.id === "code-run") {
      runs = !runs;
      show();
    }
  });

  document.addEventListener("keydown", (press) => {
    if (!series || press.metaKey || press.ctrlKey || press.altKey || press.target.closest?.("input, textarea, dialog")) return;
    if (press.key !== "ArrowLeft" && press.key !== "ArrowRight") return;
    press.preventDefault();
    step(press.key === "ArrowLeft" ? -1 : 1);
  });

  new MutationObserver(look).observe(find("frame"), { childList: true });
  setInterval(() => {
    if (!series || !runs || document.hidden) return;
    at += 1;
    show();
  }, PACE);
})();
