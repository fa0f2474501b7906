// Use a server's form and its page for programs in one Chromium, and say as JSON what was there:
// node serve.mjs CHROMIUM ADDRESS TOKEN [FOLDER_FOR_SCREENSHOTS]
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [executablePath, address, token, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
const browser = await chromium.launch({ executablePath, args });
const found = { requests: [], errors: [], violations: [], overflows: [] };

async function opened(page, { colorScheme = "light", width = 1000 } = {}) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const tab = await context.newPage();
  tab.on("request", (request) => found.requests.push(request.url().replace(address, "")));
  tab.on("pageerror", (error) => found.errors.push(String(error)));
  tab.on("dialog", (dialog) => { found.errors.push("dialog"); dialog.dismiss(); });
  await tab.goto(`${address}${page}`);
  await tab.waitForSelector("#access:not([hidden])");
  await tab.focus("#token");
  await tab.keyboard.type(token);
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("#access", { state: "hidden" });
  return tab;
}

async function looked(tab, name) {
  const over = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) found.overflows.push(`${name}: ${over}`);
  // The page's own policy lets nothing in but its files; what looks at it stands outside of that.
  const { violations } = await tab.evaluate(`(() => { ${axe}; return window.axe.run(); })()`);
  found.violations.push(...violations.map((one) => `${name} ${one.id}: ${one.nodes[0].html.slice(0, 200)}`));
  if (folder) await tab.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

const answered = async (tab) => {
  await tab.waitForFunction(() => document.getElementById("answer").textContent !== "");
  return tab.textContent("#answer");
};

async function form(tab) {
  found.models = await tab.$$eval("#model option", (options) => options.map((one) => one.value));
  await tab.selectOption("#model", "wide");
  await tab.waitForFunction(() => document.querySelector("h1").textContent === "wide" && document.getElementById("input-7"));
  found.labels = await tab.$$eval("#inputs label[for]", (labels) => labels.map((one) => one.textContent));
  found.hints = await tab.$$eval("#inputs .hint", (hints) => hints.map((one) => one.textContent));
  found.examples = await tab.$$eval("#example option", (options) => options.map((one) => one.textContent));
  await tab.selectOption("#example", "0");
  await tab.click("#form button");
  found.example = await answered(tab);
  // By the keyboard alone: from the first field on.
  await tab.focus("#input-0");
  for (const keys of ["<b>a</b>", "Tab", "", "Tab", "Tab", "1.50", "Tab", "9007199254740993", "Tab", "f", "Tab", "<", "Tab", "", "Tab", "-1e3"]) {
    if (keys === "Tab") await tab.keyboard.press("Tab");
    else if (keys.length > 1) { await tab.keyboard.press("Control+A"); await tab.keyboard.type(keys); }
    else if (keys) await tab.keyboard.type(keys);
  }
  await tab.keyboard.press("Enter");
  await tab.waitForFunction((before) => !["", before].includes(document.getElementById("answer").textContent), found.example);
  found.typed = await answered(tab);
  await tab.fill("#input-2", "two");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("[aria-invalid]");
  found.error = await tab.textContent("#input-2-error");
  found.focused = await tab.evaluate(() => document.activeElement.id);
}

async function docs(tab) {
  found.paths = await tab.$$eval("#paths h2", (headings) => headings.map((one) => one.textContent));
  const path = tab.locator("#paths > details", { hasText: "/models/wide/predict" });
  await path.locator("summary").first().click();
  found.body = JSON.parse(await path.locator("textarea").inputValue());
  for (const [type, begin] of [["application/json", "200 OK\n{"], ["text/csv", "200 OK\nprediction"]]) {
    await path.locator("select").selectOption(type);
    await path.locator("button").click();
    await tab.waitForFunction((begin) => [...document.querySelectorAll("pre[role=status]")].some((one) => one.textContent.startsWith(begin)), begin);
  }
  const ready = tab.locator("#paths > details", { hasText: "GET /health/ready" });
  await ready.locator("summary").first().click();
  await ready.locator("button").click();
  await ready.locator("pre[role=status]", { hasText: "200" }).waitFor();
  found.ready = await ready.locator("pre[role=status]").textContent();
}

try {
  for (const [page, use] of [["/", form], ["/docs", docs]]) {
    const name = page === "/" ? "form" : "docs";
    const tab = await opened(page);
    await use(tab);
    await looked(tab, `${name}-wide`);
    await tab.emulateMedia({ colorScheme: "dark" });
    await tab.setViewportSize({ width: 360, height: 900 });
    await looked(tab, `${name}-narrow-dark`);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
