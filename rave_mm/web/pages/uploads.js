// Sends files to the server, one after another so that they keep their order, and tells how far
// each is.
import { query, visitor } from "./api.js";

/** The files of a drop, those within folders included. */
export async function droppedFiles(transfer) {
  // All that the transfer says must be read now: it is empty after the first wait.
  const dropped = [...transfer.items].map((item) => [item.getAsFile(), item.webkitGetAsEntry?.()]);
  const found = [];
  for (const [file, entry] of dropped) {
    if (entry?.isDirectory) found.push(...(await filesIn(entry)));
    else if (file) found.push(file);
  }
  return found;
}

async function filesIn(folder) {
  const found = [];
  const reader = folder.createReader();
  for (;;) { // it gives a hundred at a time
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const entry of some) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory) found.push(...(await filesIn(entry)));
      else found.push(await new Promise((done, failed) => entry.file(done, failed)));
    }
  }
}

export class Uploads {
  /** `told` is called with an upload whenever it is further: {file, sent, photo, error}. */
  constructor(most, told) {
    this.most = most;
    this.told = told;
    this.waiting = [];
    this.running = false;
  }

  add(file) {
    const upload = { file, sent: 0, photo: null, error: null };
    this.waiting.push(upload);
    this.start();
    return upload;
  }

  async start() {
    if (this.running) return;
    this.running = true;
    for (let upload; (upload = this.waiting.shift()); ) {
      if (upload.cancelled) continue;
      await this.send(upload);
      this.told(upload);
    }
    this.running = false;
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
