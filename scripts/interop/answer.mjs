// Answers questions, a line of JSON each.
import { createInterface } from "node:readline";

export async function answer(answers) {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    let said;
    try {
      said = { answer: answers[question.do](question) };
    } catch (error) {
      said = { error: String(error.message) };
    }
    console.log(JSON.stringify(said));
  }
}
