import { createRoot } from "react-dom/client";

import { App } from "./app.jsx";

// Another server: index.html?server=https://example.com/audio/
const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:5006";

createRoot(document.getElementById("root")).render(<App server={server} />);
