# Starting and ending an installation: one process with SQLite and a folder, or several on PostgreSQL and S3.

pids=()

# start NAME ARGUMENT…: starts a process of the program that logs to $folder/NAME.log.
start() {
    local name=$1
    shift
    "$target/artifortress" "$@" --listen 127.0.0.1:0 --ops-listen "" > "$folder/$name.log" 2>&1 &
    pids+=($!)
}

# The address that the process NAME listens on, as soon as it is ready.
address_of() {
    local tries address
    for ((tries = 0; tries < 200; tries++)); do
        address=$(jq -Rr 'fromjson? | select(.message == "ready") | .address // "none"' "$folder/$1.log" 2>/dev/null | head -1)
        [ -z "$address" ] || break
        sleep 0.1
    done
    [ -n "$address" ] || { cat "$folder/$1.log" >&2; fail "$1 is ready within 20 s"; }
    echo "$address"
}

end_all() {
    [ ${#pids[@]} -gt 0 ] || return 0
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
    pids=()
}

start_embedded() {
    heading "Embedded: one process, SQLite and a folder"
    start serve serve --data "$folder/data"
    first=http://$(address_of serve) second=$first
    say "artifortress serve listens on $first"
    stored=$folder/data/blobs
}

# Refused by the database, or not: runs a statement past the program, as whoever holds the database's password could.
sql_embedded() {
    sqlite3 -batch -bail "$folder/data/artifortress.db" ".timeout 5000" "$1" 2>&1
}

start_scaled() {
    heading "Scaled out: PostgreSQL, S3, two api, one worker, one beat"
    psql=/usr/lib/postgresql/15/bin/psql
    "$psql" -Xq "$ARTIFORTRESS_TEST_POSTGRES_URL" -c 'create database demo'
    database=${ARTIFORTRESS_TEST_POSTGRES_URL%/*}/demo
    stored=$ARTIFORTRESS_TEST_S3_ROOT/$ARTIFORTRESS_TEST_S3_BUCKET
    export ARTIFORTRESS_DATABASE_URL=$database ARTIFORTRESS_BLOBS=s3://$ARTIFORTRESS_TEST_S3_BUCKET
    export AWS_ENDPOINT_URL=$ARTIFORTRESS_TEST_S3_ENDPOINT AWS_REGION=$ARTIFORTRESS_TEST_S3_REGION AWS_ALLOW_HTTP=true
    export AWS_ACCESS_KEY_ID=$ARTIFORTRESS_TEST_S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$ARTIFORTRESS_TEST_S3_SECRET_KEY
    ARTIFORTRESS_BOOTSTRAP_TOKEN=$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')
    ARTIFORTRESS_MASTER_KEY=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
    export ARTIFORTRESS_BOOTSTRAP_TOKEN ARTIFORTRESS_MASTER_KEY
    # The program refuses variables of its own prefix that it does not know.
    unset "${!ARTIFORTRESS_TEST_@}"

    "$target/artifortress" migrate > "$folder/migrate.log" 2>&1
    local process
    for process in api-1 api-2 worker beat; do
        start "$process" "${process%-*}" --data "$folder/$process"
    done
    first=http://$(address_of api-1) second=http://$(address_of api-2)
    say "api listens on $first and $second; what is pushed to one is pulled from the other"
}

sql_scaled() {
    "$psql" -XqAt -v ON_ERROR_STOP=1 "$database" -c "$1" 2>&1
}
