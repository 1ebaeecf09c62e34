// Drives one browser engine: a command per line on standard input, an answer per line on standard output, as JSON.
// A selector may lead into a shadow tree: "asf-player >>> #play".
// Usage: node engines.mjs chromium|firefox|webkit EXECUTABLE
import { createInterface } from "node:readline";

const [engine, executable] = process.argv.slice(2);
const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

async function puppeteer() {
  const { default: library } = await import("puppeteer-core");
  const browser = await library.launch(engine === "firefox"
    ? { browser: "firefox", executablePath: executable, headless: true }
    : { browser: "chrome", executablePath: executable, headless: true, args: CHROMIUM_FLAGS });
  let page = await browser.newPage();
  return {
    async open({ url }) {
      const earlier = page;
      page = await browser.newPage();
      await earlier.close();
      await page.goto(url);
    },
    click: ({ selector }) => page.click(selector),
    press: ({ selector, key }) => page.focus(selector).then(() => page.keyboard.press(key)),
    evaluate: ({ expression }) => page.evaluate(expression),
    resize: ({ width, height }) => page.setViewport({ width, height }),
    close: () => browser.close(),
  };
}

async function webkit() {
  const { Browser, Builder, By, Capabilities, Key } = await import("selenium-webdriver");
  const [driverUrl] = process.argv.slice(4);
  const capabilities = new Capabilities({
    browserName: "MiniBrowser", "webkitgtk:browserOptions": { binary: executable, args: ["--automation"] },
  });
  const driver = await new Builder().usingServer(driverUrl).withCapabilities(capabilities).build();
  async function find(selector) {
    const [host, inside] = selector.split(" >>> ");
    const element = await driver.findElement(By.css(host));
    return inside === undefined ? element : (await element.getShadowRoot()).findElement(By.css(inside));
  }
  return {
    open: ({ url }) => driver.get(url),
    click: ({ selector }) => find(selector).then((element) => element.click()),
    press: ({ selector, key }) => find(selector).then((element) => element.sendKeys(Key[key.toUpperCase()] ?? key)),
    evaluate: ({ expression }) => driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       Promise.resolve().then(() => (${expression})).then((value) => done({ value }), (error) => done({ error: String(error) }));`,
    ).then(({ value, error }) => {
      if (error !== undefined) throw new Error(error);
      return value;
    }),
    resize: ({ width, height }) => driver.manage().window().setRect({ width, height }),
    close: () => driver.quit(),
  };
}

const commands = await (engine === "webkit" ? webkit() : puppeteer());
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...parameters } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[command](parameters)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (command === "close") break;
}
process.exit(0);
