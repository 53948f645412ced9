// What `npm start` and `npm test` begin with. In syntax that old Nodes read: they are to be told, not to stumble.
var found = process.versions.node.split(".").map(Number);
if (found[0] < 20 || (found[0] === 20 && found[1] < 19)) {
  console.error(
    "Lighterman needs Node 20.19 or later. This is " + process.version + ", at " + process.execPath + ".",
  );
  console.error(
    "Install a newer one (from nodejs.org, or with a version manager), and run the command again.",
  );
  process.exit(1);
}
import("./set-up.mjs").catch(function (error) {
  console.error(error);
  process.exit(1);
});
