import "asf-client/player";
import { useState } from "react";

const STREAMS = ["demo", "news"];

/** A list of podcasts, and a player. React 19 sets properties of custom elements, and listens to their events. */
export function App({ server }) {
  const [stream, setStream] = useState(STREAMS[0]);
  const [state, setState] = useState(null);
  const [error, setError] = useState(null);
  return (
    <main>
      <h1>Podcasts</h1>
      {STREAMS.map((id) => (
        <button key={id} aria-pressed={id === stream} onClick={() => setStream(id)}>{id}</button>
      ))}
      <asf-player
        server={server}
        stream={stream}
        wait={true}
        cues={true}
        token={currentToken}
        title={`Podcast ${stream}`}
        onasf-state={({ detail }) => { setState(detail); setError(null); }}
        onasf-error={({ detail }) => setError(detail.error.code)}
      />
      <p>State: <output>{state ?? "nothing played yet"}</output>{error && ` (${error})`}</p>
    </main>
  );
}

/** Asks your backend, where the server requires tokens. A function is called again when a token has expired. */
function currentToken() {
  return undefined;
}
