// A file that a container wrote, or a source holds: shown, and never run. It is fetched as bytes; text becomes text nodes,
// pictures and sound become blobs of a type that we choose by their first bytes. HTML is shown as its source; an SVG as an
// image, in which no script runs and which asks nobody for anything. Nothing of it is ever a document of this site.
// What takes a library to read, Parquet and workbooks, the server reads, and gives texts.
import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, type FirstRows, firstRows, Refused } from "./api";
import { text } from "./chunk";
import { count, size as sized } from "./format";
import { Fault } from "./parts";
import { rowsOf } from "./table";

const TEXT_BYTES = 256 << 10;
const MEDIA_BYTES = 64 << 20;
const ROWS = 200;
const COLUMNS = 50;

type Shown =
  | { kind: "text"; text: string; cut: string }
  | { kind: "table"; rows: string[][]; text: string; cut: string }
  | ({ kind: "rows" } & FirstRows)
  | { kind: "image" | "audio" | "video"; url: string }
  | { kind: "svg"; url: string }
  | { kind: "none"; why: string };

interface Props {
  name: string;
  size: number;
  address: string;
  /** What it is called, where that is not its name. */
  label?: string;
  /** An address that needs no login. */
  link?: string;
  isOpen: boolean;
}

export function Preview({ name, size, address, label, link, isOpen }: Props) {
  const [open, setOpen] = useState(isOpen);
  return (
    <details class="file" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="mono">{label ?? name}</span> <span class="quiet">{sized(size)}</span>
        <span class="links">
          <a href={link ?? address} download onClick={(event) => event.stopPropagation()}>
            Download
          </a>
          {link && <Copy link={link} />}
        </span>
      </summary>
      {open && <Body name={name} size={size} address={address} />}
    </details>
  );
}

function Copy({ link }: { link: string }) {
  const [told, tell] = useState("");
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.select(), [told]);
  if (told === "shown") return <input ref={box} class="link" readOnly value={link} onClick={(event) => event.preventDefault()} />;
  return (
    <button
      type="button"
      class="plain"
      title="Whoever has the link has the file, without a login, until it expires."
      onClick={(event) => {
        event.preventDefault();
        // There is no clipboard where the page came by plain HTTP.
        const copied = navigator.clipboard?.writeText(link) ?? Promise.reject(new Error());
        copied.then(
          () => tell("copied"),
          () => tell("shown"),
        );
      }}
    >
      {told === "copied" ? "Copied" : "Copy link"}
    </button>
  );
}

function Body({ name, size, address }: { name: string; size: number; address: string }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [error, setError] = useState("");
  const [asText, setAsText] = useState(false);
  useEffect(() => {
    let isGone = false;
    let made = "";
    look(name, size, address).then(
      (found) => {
        made = "url" in found ? found.url : "";
        if (isGone && made) URL.revokeObjectURL(made);
        else setShown(found);
      },
      (failure: Error) => setError(failure.message),
    );
    return () => {
      isGone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [address]);
  if (error) return <Fault error={error} />;
  if (!shown) return <p class="quiet">Looking ...</p>;
  switch (shown.kind) {
    case "image":
      return <img class="preview" src={shown.url} alt={name} />;
    case "audio":
      return <audio class="preview" src={shown.url} controls />;
    case "video":
      return <video class="preview" src={shown.url} controls />;
    case "svg":
      return <img class="preview svg" src={shown.url} alt={name} />;
    case "none":
      return <p class="empty">{shown.why}</p>;
    case "rows":
      return (
        <>
          <Table rows={shown.rows} />
          <p class="quiet">
            {shown.about}
            {shown.isPart ? "; only the beginning is shown." : "."}
          </p>
        </>
      );
    case "table":
      return (
        <>
          <button type="button" class="plain" onClick={() => setAsText(!asText)}>
            {asText ? "As a table" : "As text"}
          </button>
          {asText ? <pre class="text">{shown.text}</pre> : <Table rows={shown.rows} />}
          {shown.cut && <p class="quiet">{shown.cut}</p>}
        </>
      );
    case "text":
      return (
        <>
          <pre class="text">{shown.text || "(empty)"}</pre>
          {shown.cut && <p class="quiet">{shown.cut}</p>}
        </>
      );
  }
}

function Table({ rows }: { rows: string[][] }) {
  const [head = [], ...body] = rows;
  return (
    <>
      <div class="scrolls">
        <table class="data">
          <thead>
            <tr>
              {head.slice(0, COLUMNS).map((cell, index) => (
                <th key={index}>{cell}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {body.slice(0, ROWS).map((row, index) => (
              <tr key={index}>
                {row.slice(0, COLUMNS).map((cell, at) => (
                  <td key={at}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(body.length > ROWS || head.length > COLUMNS) && (
        <p class="quiet">
          The first {count(Math.min(ROWS, body.length))} rows and {Math.min(COLUMNS, head.length)} columns of what was read.
        </p>
      )}
    </>
  );
}

async function look(name: string, size: number, address: string): Promise<Shown> {
  const { data: start } = await bytes(address, Math.min(Math.max(size, 1), TEXT_BYTES));
  if (starts(start, 0, "\x1f\x8b")) {
    const inside = await unpacked(start);
    if (!inside || !isText(inside)) return NOTHING;
    const isAll = size <= start.length && inside.length < TEXT_BYTES;
    return asText(name.replace(/\.gz$/i, ""), inside, isAll ? "" : `The first ${sized(inside.length)} of what is packed in ${sized(size)}.`);
  }
  if (starts(start, 0, "PAR1") || starts(start, 0, "PK\x03\x04")) return rows(address);
  const media = mediaOf(start);
  if (media) {
    if (size > MEDIA_BYTES) return { kind: "none", why: `It is larger than ${sized(MEDIA_BYTES)}: download it.` };
    const data = size > start.length ? (await bytes(address, size)).data : start;
    return { kind: media.split("/")[0] as "image", url: URL.createObjectURL(new Blob([data], { type: media })) };
  }
  if (!isText(start)) return NOTHING;
  return asText(name, start, size > start.length ? `The first ${sized(start.length)} of ${sized(size)}.` : "");
}

const NOTHING: Shown = { kind: "none", why: "It is no text, nor anything else that is shown here: download it." };

async function rows(address: string): Promise<Shown> {
  try {
    return { kind: "rows", ...(await firstRows(address)) };
  } catch (error) {
    if (error instanceof Refused && error.status === 400) return { kind: "none", why: error.message };
    throw error;
  }
}

/** The beginning of what was packed by gzip, of which only the beginning is here; null where that is damaged. */
async function unpacked(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array | null> {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const found = new Uint8Array(TEXT_BYTES);
  let length = 0;
  try {
    while (length < TEXT_BYTES) {
      const { value, done } = await reader.read();
      if (done) break;
      const part = value.subarray(0, TEXT_BYTES - length);
      found.set(part, length);
      length += part.length;
    }
  } catch {
    if (!length) return null; // Else it ends in the middle, as what was asked for of it does.
  }
  void reader.cancel().catch(() => undefined);
  return found.subarray(0, length);
}

/** `cut` says what the data are the beginning of; it is empty where they are all. */
function asText(name: string, data: Uint8Array, cut: string): Shown {
  const decoded = text(data);
  if (!cut && /\.svg$/i.test(name) && decoded.includes("<svg")) 
    return { kind: "svg", url: `data:image/svg+xml,${encodeURIComponent(decoded)}` };
  const rows = rowsOf(name, decoded, !!cut);
  return rows ? { kind: "table", rows, text: decoded, cut } : { kind: "text", text: decoded, cut };
}

/** [type, where its mark begins, the mark]. A mark alone decides: what a file is called is its writer's choice. */
const MARKS: [string, number, string][] = [
  ["image/png", 0, "\x89PNG\r\n\x1a\n"],
  ["image/jpeg", 0, "\xff\xd8\xff"],
  ["image/gif", 0, "GIF8"],
  ["image/bmp", 0, "BM"],
  ["image/webp", 8, "WEBP"],
  ["image/avif", 4, "ftypavif"],
  ["audio/wav", 8, "WAVE"],
  ["audio/flac", 0, "fLaC"],
  ["audio/mpeg", 0, "ID3"],
  ["audio/mpeg", 0, "\xff\xfb"],
  ["audio/mp4", 4, "ftypM4A"],
  ["video/mp4", 4, "ftyp"],
  ["video/webm", 0, "\x1a\x45\xdf\xa3"],
  ["audio/ogg", 0, "OggS"],
];

function starts(data: Uint8Array, at: number, mark: string): boolean {
  return [...mark].every((letter, index) => data[at + index] === letter.charCodeAt(0));
}

function mediaOf(data: Uint8Array): string | null {
  const found = MARKS.find(([, at, mark]) => starts(data, at, mark));
  if (!found || (found[0] === "image/bmp" && isText(data))) return null;
  return found[0];
}

function isText(data: Uint8Array): boolean {
  let odd = 0;
  for (const byte of data.subarray(0, 4096)) {
    if (byte === 0) return false;
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 && byte !== 27) odd++;
  }
  return odd <= Math.min(data.length, 4096) / 20;
}
