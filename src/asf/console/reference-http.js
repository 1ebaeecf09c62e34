/** Shows an OpenAPI document with Swagger UI, which also sends requests. */

const dark = matchMedia("(prefers-color-scheme: dark)");

/** What Swagger UI leaves out for those who do not see the page: attributes of elements, by selector. */
const MISSING = [
  [".content-type", { "aria-label": "Media type" }],
  [".examples-select-element", { "aria-label": "Example" }],
  [".close-modal", { "aria-label": "Close" }],
  ["select", { "aria-label": "Value" }],
  ["textarea", { "aria-label": "Body" }],
  ["pre", { tabindex: "0" }],
];

/** Swagger UI has its dark colours by a class. */
function followScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

/** Adds what is missing to the elements that are there now. */
function complete(element) {
  for (const [selector, attributes] of MISSING) {
    for (const [name, value] of Object.entries(attributes)) {
      for (const one of element.querySelectorAll(`${selector}:not([${name}])`)) one.setAttribute(name, value);
    }
  }
}

/** Arranges Swagger UI's parts below the headings of the page, which has the title and the server. */
function layout({ React }) {
  const made = React.createElement;
  function Reference({ getComponent }) {
    const part = (name) => made(getComponent(name, true));
    return made("div", { className: "swagger-ui" },
      made(getComponent("SvgAssets")),
      made("div", { className: "authorization" }, part("AuthorizeBtnContainer")),
      part("errors"),
      part("operations"),
      part("Webhooks"));
  }
  // A control must not contain another one: the link would be in the button that opens the operation.
  const DeepLink = ({ text }) => text;
  return { components: { Reference, DeepLink } };
}

/** Renders the document into an element; requests go to `server`. Resolves when it is shown. */
export async function showHttp(openapi, server, element) {
  if (!globalThis.SwaggerUIBundle) {
    throw new Error("Swagger UI is not built: install Node.js with npm, then run make client in the ASF directory.");
  }
  followScheme();
  dark.addEventListener("change", followScheme);
  await new Promise((resolve) => {
    new MutationObserver(() => {
      complete(element);
      if (element.querySelector(".opblock")) resolve();
    }).observe(element, { childList: true, subtree: true });
    SwaggerUIBundle({
      spec: { ...openapi, servers: [{ url: server.href.replace(/\/$/, "") }] },
      domNode: element,
      plugins: [layout],
      layout: "Reference",
      deepLinking: true, // The address of an operation: #/tag/operationId
      persistAuthorization: false, // Tokens stay in memory.
      validatorUrl: null,
      displayRequestDuration: true,
      syntaxHighlight: { activated: false },
    });
  });
}
