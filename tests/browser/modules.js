// Lets a page import asf-client from the server that its query names.
const query = new URLSearchParams(location.search);
const modules = document.createElement("script");
modules.type = "importmap";
modules.textContent = JSON.stringify({ imports: {
  "asf-client": `${query.get("server")}/asf/client/asf-client.js`,
} });
document.head.append(modules);
