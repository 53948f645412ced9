import { randomInt } from "node:crypto";

const ADJECTIVES =
  "able amber ample azure bold brave breezy bright brisk calm candid cheery civil clear clever cosy crisp daring deft eager earnest easy fair fleet fond frank free fresh gentle glad golden grand happy hardy humble jolly keen kind lively loyal lucky mellow merry mild modest neat nimble noble patient placid plucky polite proud quick quiet rapid ready rosy savvy serene sharp shiny silver sleek smart snug sober solid spry stable steady stout sturdy sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty".split(
    " ",
  );
const ANIMALS =
  "ant badger beaver bison bittern buzzard camel carp cheetah clam condor coot coyote crane cricket crow curlew deer dingo dolphin dove duck eagle eel egret elk falcon ferret finch fox frog gannet gecko gibbon goat goose gull hare hawk heron hornet ibex ibis jackal jay kestrel kite koala lark lemur lion lizard llama lynx magpie marten mole moose moth newt ocelot otter owl panda parrot perch pike plover puffin puma quail rabbit raven robin rook salmon seal shrew skink sloth snail snipe stoat stork swan swift tapir tern thrush tiger toad trout turtle viper vole walrus weasel whale wolf wombat wren yak zebra".split(
    " ",
  );

/** A name for a run that nobody named: two words. */
export function randomName(): string {
  return `${ADJECTIVES[randomInt(ADJECTIVES.length)] ?? ""}-${ANIMALS[randomInt(ANIMALS.length)] ?? ""}`;
}
