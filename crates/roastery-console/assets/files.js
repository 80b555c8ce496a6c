"use strict";
// Files: one that is chosen becomes the text of a field, and an answer becomes a file.
(() => {
  const MOST = 1047500; // characters of a PSBT, which is text on its way to the node
  const FORGET = 10000; // ms until the address of a file that was saved is no more

  // The text stays in its field as what is typed does; a chosen file would not.
  const take = async (input) => {
    const file = input.files[0];
    const field = document.getElementById(input.dataset.into);
    const says = input.form.querySelector(".answer");
    if (!file || !field) return;
    const refuse = (text) => {
      input.value = "";
      says.replaceChildren(text);
    };
    // What was there before is not what is looked at next.
    field.value = "";
    if (file.size > MOST) return refuse(`This file has ${file.size} bytes; at most ${MOST} are allowed.`);
    let bytes;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      return refuse("The file cannot be read.");
    }
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    // The fifth byte of a binary PSBT is in no text.
    text = bytes[4] === 0xff ? btoa(text) : text.trim();
    if (text.length > MOST) return refuse(`As text this file has ${text.length} characters; at most ${MOST} are allowed.`);
    field.value = text;
    input.value = "";
    says.replaceChildren();
  };

  document.addEventListener("change", (change) => {
    if (change.target.dataset?.into) take(change.target);
  });

  document.addEventListener("save", ({ detail: { base64, name } }) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), FORGET);
  });
})();
