// Lets a page import asf-client from the server that its query names.
const query = new URLSearchParams(location.search);
const modules = document.createElement("script");
modules.type = "importmap";
modules.textContent = JSON.stringify({ imports: {
  "asf-client": `${query.get("server")}/console/static/asf-client/index.js`,
  "socket.io-client": `${query.get("server")}/console/static/socket.io.esm.min.js`,
} });
document.head.append(modules);
