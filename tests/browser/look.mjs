// Open a page in Chromium and say what it did, as JSON: node look.mjs CHROMIUM PAGE [SCREENSHOT]
// `requests` are those beyond the page itself; `ran` is what a script would have left behind.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, page, screenshot] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...quiet] });
const found = { requests: [], console: [], errors: [], dialogs: 0, violations: [], overflows: [] };
try {
  for (const [colorScheme, width] of [["light", 1100], ["dark", 1100], ["light", 360]]) {
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
    const tab = await context.newPage();
    const address = pathToFileURL(page).href;
    tab.on("request", (request) => request.url() !== address && found.requests.push(request.url().slice(0, 200)));
    tab.on("console", (message) => found.console.push(`${message.type()}: ${message.text()}`));
    tab.on("pageerror", (error) => found.errors.push(String(error)));
    tab.on("dialog", (dialog) => { found.dialogs += 1; dialog.dismiss(); });
    await tab.goto(address);
    found.title = await tab.title();
    found.ran = await tab.evaluate(() => window.ran ?? null);
    found.scripts = await tab.evaluate(() => document.querySelectorAll("script, iframe, object, embed, [onerror], [onclick], [onload]").length);
    found.nodes = await tab.evaluate(() => document.querySelectorAll("*").length);
    const scrolls = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (scrolls > 0) found.overflows.push(`${width}: ${scrolls}`);
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => window.axe.run());
    found.violations.push(...violations.map((one) => `${colorScheme} ${width} ${one.id}: ${one.nodes[0].html.slice(0, 200)}`));
    if (screenshot && colorScheme === "light" && width > 400) await tab.screenshot({ path: screenshot, fullPage: true });
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
