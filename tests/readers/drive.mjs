// Drives the reader by lines of standard input, one line of standard output for each:
//     open PLACE ALIAS SECONDS    a new reader that goes on with what the last one saw (parts are percent-encoded)
//     forget                      what was seen
//     read                        SEQ DIGEST COUNT-OF-FILES same|new, or the kind of what was refused
import { createInterface } from "node:readline";
import { AliasReader, ReadError } from "../../src/mlopskit/readers/alias-reader.mjs";

let [reader, seen, last] = [null, null, null];
const commands = {
    open(place, alias, seconds) {
        reader = new AliasReader(place, alias, { seen, patience: 1000 * seconds });
        return "opened";
    },
    forget() {
        seen = null;
        return "forgotten";
    },
    async read() {
        const before = last;
        try {
            last = await reader.read();
        } finally {
            seen = reader.seen && JSON.parse(JSON.stringify(reader.seen));
        }
        return `${last.seq} ${last.digest} ${last.files.size} ${last === before ? "same" : "new"}`;
    },
};
for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...parts] = line.split(" ").map(decodeURIComponent);
    try {
        console.log(await commands[command](...parts));
    } catch (error) {
        console.log(error instanceof ReadError ? error.kind : `broken: ${error.stack}`.replaceAll("\n", " "));
    }
}
