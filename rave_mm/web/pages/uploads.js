// Sends files to the server, a few at a time, and tells how far each is.
import { query, visitor } from "./api.js";

const AT_ONCE = 3;

/** The files of a drop, those within folders included. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  const visit = async (entry) => {
    if (entry.isFile) {
      found.push(await new Promise((done, failed) => entry.file(done, failed)));
      return;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const each of some) if (!each.name.startsWith(".")) await visit(each);
    }
  };
  for (const entry of entries) await visit(entry);
  return found;
}

export class Uploads {
  /** `told` is called with an upload whenever it is further: {file, sent, photo, error}. */
  constructor(most, told) {
    this.most = most;
    this.told = told;
    this.waiting = [];
    this.running = 0;
  }

  add(file) {
    const upload = { file, sent: 0, photo: null, error: null };
    this.waiting.push(upload);
    this.start();
    return upload;
  }

  start() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const upload = this.waiting.shift();
      if (upload.cancelled) continue;
      this.running += 1;
      this.send(upload).finally(() => {
        this.running -= 1;
        this.told(upload);
        this.start();
      });
    }
  }

  send(upload) {
    const { file } = upload;
    if (file.size > this.most) {
      upload.error = `the file has ${Math.round(file.size / 1e6)} MB, more than any photo of the allowed size`;
      return Promise.resolve();
    }
    return new Promise((done) => {
      const request = new XMLHttpRequest(); // fetch does not tell how much was sent
      upload.cancel = () => request.abort();
      request.open("POST", `/api/photos?${query({ visitor, name: file.name })}`);
      request.upload.onprogress = (event) => {
        upload.sent = event.lengthComputable ? event.loaded / event.total : 0;
        this.told(upload);
      };
      request.onload = () => {
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          answer.error = request.responseText;
        }
        if (request.status === 201) upload.photo = answer;
        else upload.error = answer.error || `the server answered ${request.status}`;
        done();
      };
      request.onerror = () => {
        upload.error = "the server cannot be reached, or ended the upload";
        done();
      };
      request.onabort = done;
      request.send(file);
    });
  }
}
