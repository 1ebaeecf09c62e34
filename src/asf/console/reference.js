/** Shows the server's OpenAPI and AsyncAPI documents. All URLs are relative: the server may be below a path. */

import { showEvents, showTarget } from "./reference-events.js";
import { showHttp } from "./reference-http.js";

const server = new URL("..", location.href);

/** What the address names, before Swagger UI changes it. */
const target = location.hash.slice(1);

async function load(name) {
  const response = await fetch(new URL(`asf/${name}.json`, server));
  if (!response.ok) throw new Error(`/asf/${name}.json returned status ${response.status}`);
  return response.json();
}

try {
  const [openapi, asyncapi] = await Promise.all([load("openapi"), load("asyncapi")]);
  showEvents(asyncapi, document.getElementById("events"));
  await showHttp(openapi, server, document.getElementById("http"));
  showTarget(target); // The browser has looked for it before it was there.
} catch (error) {
  const notice = document.getElementById("notice");
  notice.hidden = false;
  notice.textContent = `Cannot load the reference: ${error.message}`;
}
