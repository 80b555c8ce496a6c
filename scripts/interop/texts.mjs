// bip322-js, asked by texts.py: a question and its answer are a line of JSON each.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The library's folder is the program's argument.
const { Signer, Verifier } = createRequire(`${process.argv[2]}/`)("bip322-js");

const answers = {
  sign: ({ key, address, text }) => Signer.sign(key, address, text),
  verify: ({ address, text, signature }) => Verifier.verifySignature(address, text, signature),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = { answer: answers[question.do](question) };
  } catch (error) {
    answer = { error: String(error.message) };
  }
  console.log(JSON.stringify(answer));
}
