# The steps of the story. Each says what it does, and fails when a promise is not kept.

heading() { printf '\n== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
kept() { printf '   ok: %s\n' "$*"; }
fail() { printf '\nNOT AS PROMISED (%s): %s\n' "${backing:-before the start}" "$*" >&2; exit 1; }

artifortress() { ARTIFORTRESS_SERVER=$first "$target/artifortress" "$@"; }
pull_from_second() { ARTIFORTRESS_SERVER=$second ARTIFORTRESS_TOKEN=$token "$target/artifortress" pull "$@"; }
quietly() { "$@" > "$folder/said" 2>&1 || { cat "$folder/said" >&2; return 1; }; }
# fetch PATH CURL-ARGUMENT…: asks the second API process, with the login's token.
fetch() { curl -sS --max-time 120 -H "Authorization: Bearer $token" "${@:2}" "$second$1"; }
status_of() { fetch "$1" -o /dev/null -w '%{http_code}' "${@:2}"; }
sha256_of() { sha256sum "$1" | cut -d' ' -f1; }
same() { cmp -s "$1" "$2" || fail "$3"; }

set_up() {
    heading "A first admin, a repository, a token"
    if [ "$backing" = embedded ]; then
        artifortress init --data "$folder/data" > "$folder/said"
    else
        artifortress init > "$folder/said"
    fi
    say "$(head -1 "$folder/said")"
    token=$(artifortress admin tokens mint --scope repo:files:write --scope tenant:auditor --name demo 2>/dev/null)
    [ "$(status_of /repository/files/)" = 200 ] || fail "the token reads the repository"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$second/repository/files/")" = 401 ] || fail "nobody reads without a token"
    kept "the token reads, nobody else does"
}

push_and_publish() {
    heading "Pushing files, one by one and as one version"
    quietly artifortress push files "$files/source" --to tree
    quietly artifortress push files "$files/program" --to tools
    kept "the source tree and the program are stored, file by file"
    local began=$SECONDS pid
    artifortress push files "$files" --package bundle --version 1.0 > "$folder/pushed" 2>&1 &
    pid=$!
    watch_it_appear "$pid"
    wait "$pid" || { cat "$folder/pushed" >&2; fail "the version is published"; }
    sed 's/^/   /' "$folder/pushed"
    kept "one version with all files in $((SECONDS - began)) s, and no reader saw a part of it"
    if artifortress push files "$files/program" --package bundle --version 1.0 > "$folder/pushed" 2>&1; then
        fail "a published version takes no other content"
    fi
    kept "refused: $(head -1 "$folder/pushed")"
}

# While the version is being made: whoever sees its first file sees its last one, too.
watch_it_appear() {
    local looks=0 early
    while kill -0 "$1" 2>/dev/null; do
        early=$(status_of /repository/files/bundle/1.0/gibibyte --head)
        if [ "$early" = 200 ]; then
            [ "$(status_of /repository/files/bundle/1.0/source/README.md)" = 200 ] || fail "a version appears whole"
        fi
        looks=$((looks + 1))
        sleep 0.2
    done
    say "a reader looked $looks times meanwhile"
}

list() {
    heading "Listing"
    fetch /repository/files/bundle/1.0/ | jq -r '.items[] | "   \(.kind)  \(.path)  \(.size // "")"'
    [ "$(fetch /repository/files/bundle/1.0/ | jq '.items | length')" = 3 ] || fail "the version's folder lists three items"
    fetch /repository/files/ -H 'Accept: text/html' | grep -q '<table>' || fail "a browser gets a page"
    kept "as JSON for programs, as a page for people"
}

pull_everything() {
    heading "Pulling by path, by digest and by range"
    quietly pull_from_second files bundle/1.0 -o "$folder/pulled"
    diff -r "$files" "$folder/pulled" || fail "the folder comes back as it was"
    rm -r "$folder/pulled"
    kept "the whole version with the program, every byte compared"
    local digest
    digest=$(sha256_of "$files/program")
    quietly pull_from_second files --digest "sha256:$digest" -o "$folder/by-digest"
    same "$files/program" "$folder/by-digest" "the CLI pulls by digest"
    fetch "/v1/repos/files/blobs/sha256:$digest" -o "$folder/by-digest"
    same "$files/program" "$folder/by-digest" "curl pulls by digest"
    kept "by digest, with the program and with curl"
    fetch /repository/files/tools/program -o "$folder/by-path"
    same "$files/program" "$folder/by-path" "curl pulls by path"
    kept "by path, with curl"
    pull_range 0 10
    pull_range 1048570 20
    pull_range 734003200 5242880
    pull_range 1073741823 1
    kept "by range: the first bytes, across two blocks, 5 MiB in the middle, the last byte"
    [ "$(status_of /repository/files/bundle/1.0/gibibyte -r 1073741824-)" = 416 ] || fail "416 behind the end"
    kept "416 behind the end"
}

# pull_range START LENGTH: of the gibibyte, compared with the file.
pull_range() {
    local code
    code=$(fetch /repository/files/bundle/1.0/gibibyte -r "$1-$(($1 + $2 - 1))" -o "$folder/range" -w '%{http_code}')
    [ "$code" = 206 ] || fail "a range is answered with 206, not $code"
    tail -c "+$(($1 + 1))" "$files/gibibyte" | head -c "$2" > "$folder/expected" || true
    same "$folder/expected" "$folder/range" "$2 bytes from $1 on are the file's"
}

attack_through_sql() {
    heading "Attacking what is published, with the database's password"
    local attack
    for attack in \
        "update entries set digest = (select digest from blobs order by length limit 1) where location = 'tools/program'" \
        "delete from entries where location = 'tools/program'" \
        "update versions set version = '9.9' where version = '1.0'" \
        "delete from versions" \
        "update manifests set body = '{}'" \
        "update events set actor = 'somebody else'" \
        "delete from events"; do
        refused "$attack"
    done
    fetch /repository/files/tools/program -o "$folder/by-path"
    same "$files/program" "$folder/by-path" "nothing has changed"
    kept "and what is served is what was published"
}

refused() {
    local said
    if said=$("sql_$backing" "$1"); then
        fail "the database refuses: $1"
    fi
    grep -q 'artifortress: ' <<< "$said" || fail "a trigger refuses '$1', but: $said"
    kept "refused: $1 ($(grep -o 'artifortress: [a-z ]*[a-z]' <<< "$said" | head -1))"
}

damage_and_heal() {
    heading "A byte flips where the program's bytes lie"
    local digest place at=20000000 code
    digest=$(sha256_of "$files/program")
    flip "$digest" "$at"
    code=$(fetch /repository/files/tools/program -o "$folder/cut" -w '%{http_code}' 2> "$folder/said") && fail "a damaged file does not arrive whole"
    say "curl: status $code, then: $(head -1 "$folder/said")"
    local got
    got=$(stat -c %s "$folder/cut" 2>/dev/null || echo 0)
    [ "$got" -le "$at" ] || fail "nothing behind the damaged byte is served"
    cmp -s -n "$got" "$folder/cut" "$files/program" || fail "what is served before the damage is right"
    kept "$got good bytes left, then the answer was cut: not one damaged byte"
    code=$(status_of /repository/files/tools/program -r "$at-$at")
    [ "$code" = 503 ] || fail "the damaged byte itself is answered with 503, not $code"
    kept "the damaged byte alone: 503"
    if artifortress pull files tools/program -o "$folder/refused" > "$folder/said" 2>&1; then fail "the CLI refuses it"; fi
    [ ! -e "$folder/refused" ] || fail "a file that is not whole never gets its name"
    kept "the CLI: $(head -1 "$folder/said")"
    told blob.copy.damaged "$digest"

    heading "Healing: the same bytes are pushed again"
    quietly artifortress push files "$files/program" --to healing
    fetch /repository/files/tools/program -o "$folder/by-path"
    same "$files/program" "$folder/by-path" "the first path serves again"
    kept "the first path serves again, every byte compared"
}

# flip DIGEST OFFSET: inverts one byte of the stored copy.
flip() {
    local literal="'\\x$1'" file byte
    [ "$backing" = scaled ] || literal="x'$1'"
    place=$("sql_$backing" "select place from copies where digest = $literal and state = 'good'")
    file=$stored/$place
    [ -f "$file" ] || fail "there is one stored copy, in a file: $place"
    byte=$(od -An -tu1 -j "$2" -N1 "$file" | tr -d ' ')
    printf "\\x$(printf %x $((255 - byte)))" | dd of="$file" bs=1 seek="$2" conv=notrunc status=none
    say "byte $2 of $place was $byte and is $((255 - byte)) now"
}

# told ACTION RESOURCE: the journal has it.
told() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        if fetch "/v1/audit?action=$1" | jq -e --arg what "$2" '.items[] | select(.resource | contains($what))' > "$folder/event"; then
            kept "the audit says: $(jq -rs '.[0] | "\(.action) by \(.subject), \(.details)"' "$folder/event")"
            return
        fi
        sleep 0.1
    done
    fail "the audit has $1 of $2"
}
