// Fill the fields of an ejected model's page in Chromium, ask, and say as JSON what it did: node ask.mjs CHROMIUM ADDRESS CELL...
import { chromium } from "playwright-core";

const [executablePath, address, ...cells] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
const browser = await chromium.launch({ executablePath, args });
const found = { requests: [], errors: [] };
try {
  const tab = await browser.newPage();
  tab.on("request", (request) => found.requests.push(request.url().replace(new URL(".", address).href, "")));
  tab.on("pageerror", (error) => found.errors.push(String(error)));
  await tab.goto(address);
  await tab.waitForSelector("input");
  const fields = await tab.$$("input");
  for (const [place, cell] of cells.entries()) await fields[place].fill(cell);
  await tab.click("button");
  found.answer = await tab.textContent("#answer");
  found.labels = await tab.$$eval("label", (labels) => labels.map((one) => one.textContent));
  found.title = await tab.textContent("h1");
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
