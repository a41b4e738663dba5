# usage.sh SOURCE_DIR SAE: help, versions, and command lines that are wrong. No data is needed.
. "$1/expect.sh"
sae=$(absolute "$2")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

expect 0 "$sae" --version
prints 'sae 0.'
expect 0 "$sae" --help
prints train eval rank study auroc top match crosscoder encode steer monitor shuffle convert info
for command in train eval rank study auroc top match crosscoder encode steer monitor shuffle convert info; do
    expect 0 "$sae" "$command" --help
    prints "sae $command: " 'Usage: sae' 'Examples:' '--threads' '--memory' '--quiet'
    [ ! -s err.txt ] || complain "help on stderr: $command"
    [ "$(awk 'length > 110' out.txt | wc -l)" -eq 0 ] || complain "help of $command is wider than 110 columns"
    expect 2 "$sae" "$command"
    one_line_naming "sae $command --help"
    expect 2 "$sae" "$command" --no-such-option
    one_line_naming '--no-such-option'
done

expect 2 "$sae"
expect 2 "$sae" trian
one_line_naming "'trian'" "'train'"
expect 2 "$sae" xyzzy
one_line_naming "'xyzzy'" 'sae --help'
expect 2 "$sae" train dump.npy -o m --latnets 8
one_line_naming "'--latnets'" "'--latents'"
expect 2 "$sae" train dump.npy -o m -Z
one_line_naming "'-Z'"
expect 2 "$sae" train dump.npy
one_line_naming '--output'
expect 2 "$sae" train dump.npy -o
one_line_naming 'needs a value'
expect 2 "$sae" train dump.npy -o --force
one_line_naming 'needs a value'
expect 2 "$sae" train dump.npy -o m --resume=yes
one_line_naming 'takes no value'
expect 2 "$sae" steer m extra --latent 0 -o d.npy
one_line_naming "'extra'"
expect 2 "$sae" steer m --latent 0,1 --weights 1 -o d.npy
one_line_naming '--weights' '--latent'
expect 2 "$sae" steer m --latent 0 --measure a.h5 -o d.npy
one_line_naming '--measure' '.safetensors'
expect 2 "$sae" steer m --latent 0 --apply a.h5 --op push -o d.npy
one_line_naming 'add|clamp|ablate|project-out'
expect 2 "$sae" monitor m -o out --latent 1
one_line_naming --control
expect 2 "$sae" monitor m monitor dump -o out --latent 1 --control a
one_line_naming "'monitor'" --output
expect 2 "$sae" monitor m -o out --latent 4294967296 --control a
one_line_naming 4294967296
expect 2 "$sae" monitor m -o out --latent 1 --control a --per-prompt p
one_line_naming --per-prompt
expect 2 "$sae" monitor m -o out --latent 1 --control a --false-alarms 0.6
one_line_naming '--false-alarms 0.6'
expect 2 "$sae" monitor m monitor
one_line_naming 'at least one dump'
for option in '--latent 1' '--control a' '--bad a' '--weights equal' '--false-alarms 0.1'; do
    expect 2 "$sae" monitor m monitor dump $option
    one_line_naming --output
done
expect 2 "$sae" rank m --before a --after b --paired --unpaired
one_line_naming '--paired' '--unpaired'
expect 2 "$sae" rank m --before a --after b --by delta --controls worst
one_line_naming '--by' '--controls'
expect 2 "$sae" study s.json -m m
one_line_naming --output
expect 2 "$sae" study s.json -o folder
one_line_naming --model
expect 2 "$sae" study s.json t.json -m m -o folder
one_line_naming t.json
expect 2 "$sae" study s.json -m m -o folder --alpha 0.6
one_line_naming '--alpha 0.6'
expect 2 "$sae" study s.json -m m -o folder --candidates 0
one_line_naming '--candidates 0'
expect 2 "$sae" rank m --before a --after b --direction up
one_line_naming 'rising|falling|both'
for value in -1 1x '' 0x10 99999999999999999999 ' 1' 1.5; do
    expect 2 "$sae" train dump.npy -o m --steps "$value"
    one_line_naming "--steps $value"
done
for value in nan inf 1e999 '' abc -0.5 1.5; do
    expect 2 "$sae" train dump.npy -o m --warmup "$value"
    one_line_naming "--warmup $value"
done
for value in 0 12Q 1.5G 99999999999999T 2GiBs -1G 1K; do
    expect 2 "$sae" train dump.npy -o m --memory "$value"
    one_line_naming "--memory $value"
done
expect 2 "$sae" train dump.npy -o m --threads 0
one_line_naming '--threads 0'
expect 2 "$sae" top m d --latent 4294967296
one_line_naming '--latent 4294967296'

# A good command line fails at the missing file, and that is no usage error.
for memory in 2G 512m 64MiB 3000000; do
    expect 1 "$sae" train missing.npy -o m --memory "$memory" --threads 1 --steps=3 -k4
    one_line_naming missing.npy
done
expect 1 "$sae" info -- --help
one_line_naming 'No such file'
expect 1 "$sae" info "$(printf 'a\nb')"
one_line_naming 'a?b'

# Outputs are looked at before any work begins.
echo precious >kept
for arguments in 'train missing.npy' 'encode missing missing.npy' 'steer missing --latent 0' \
    'rank missing --before missing.npy --after missing.npy' 'shuffle missing.npy' \
    'monitor missing --latent 0 --control missing.npy'; do
    expect 1 "$sae" $arguments -o kept
    one_line_naming kept '--force'
    expect 1 "$sae" $arguments -o no/such/folder/out
    one_line_naming no/such/folder
    expect 1 "$sae" $arguments -o "$work"
    one_line_naming 'not a regular file'
    expect 1 "$sae" $arguments -o /dev/null --force
    one_line_naming /dev/null 'not a regular file'
    expect 1 "$sae" $arguments -o kept --force
    one_line_naming missing
done
[ "$(cat kept)" = precious ] || complain 'an existing output was touched'
expect 1 "$sae" study missing.json -m missing -o no/such/folder
one_line_naming missing
mkdir done
echo '{}' >done/verdict.json
expect 1 "$sae" study missing.json -m missing -o done
one_line_naming done '--force'
expect 1 "$sae" encode kept missing.npy -o kept --force
one_line_naming kept 'input'

# A reader that cannot take the result is a failure.
if [ -c /dev/full ]; then
    "$sae" --help >/dev/full 2>err.txt && complain 'a full disk under stdout went unnoticed'
    grep -q 'standard output' err.txt || complain 'stdout is not named'
fi
"$sae" --help >&- 2>err.txt && complain 'a closed stdout went unnoticed'
grep -q 'standard output' err.txt || complain 'stdout is not named when closed'

# Names that would overwrite one another.
for pair in '-o x --checkpoint x' '-o x --log x' '-o x --checkpoint y --log y'; do
    expect 1 "$sae" train missing.npy $pair
    one_line_naming 'three names'
done
expect 1 "$sae" train missing.npy --heldout kept -o kept --force
one_line_naming kept input
finish
