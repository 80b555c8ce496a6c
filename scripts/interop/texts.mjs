// bip322-js, asked by texts.py: a question and its answer are a line of JSON each.
import bip322 from "bip322-js";
import { answer } from "./answer.mjs";

const { Signer, Verifier } = bip322;

await answer({
  sign: ({ key, address, text }) => Signer.sign(key, address, text),
  verify: ({ address, text, signature }) => Verifier.verifySignature(address, text, signature),
});
