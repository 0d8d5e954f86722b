# SPDX-License-Identifier: BSL-1.0
# Takes the blocks out of a Markdown file, into the folder `out`:
#   <line>.program.cpp   a ```cpp block with a main, and if a ```text block follows, <line>.expected
#   <line>.fragment.cpp  another ```cpp block, inside a function (includes stay outside), or at file
#                        scope where `<!-- snippet: file -->` stands above it
#   commands             the first word of each line of the ```sh blocks, with its line number

function finish_cpp(   path) {
    kind = has_main ? "program" : "fragment"
    path = out "/" start "." kind ".cpp"
    if (has_main) {
        printf "%s", includes > path
        print "#line " (start + 1) " \"" file "\"" > path
        printf "%s", body > path
    } else {
        print "#include \"prelude.hpp\"" > path
        printf "%s", includes > path
        if (!at_file_scope) print "[[maybe_unused]] static void snippet() {" > path
        print "#line " (start + 1) " \"" file "\"" > path
        printf "%s", body > path
        if (!at_file_scope) print "}" > path
    }
    close(path)
    last_program = has_main ? start : 0
}

!inside && /^```/ {
    language = substr($0, 4)
    start = NR
    inside = 1
    includes = body = ""
    has_main = 0
    if (language == "text" && last_program) printf "" > (out "/" last_program ".expected")
    next
}
inside && /^```$/ {
    if (language == "cpp") finish_cpp()
    else last_program = 0
    inside = 0
    at_file_scope = 0
    next
}
inside && language == "cpp" {
    if (/^int main\(/) has_main = 1
    # An include leaves an empty line behind, so that the numbers of the lines stay right.
    if (/^#include/) { includes = includes $0 "\n"; body = body "\n" }
    else body = body $0 "\n"
    next
}
inside && language == "text" && last_program { print > (out "/" last_program ".expected"); next }
inside && language == "sh" && !/^#/ && NF { print NR, $1 > (out "/commands"); next }
!inside && /^<!-- snippet: file -->$/ { at_file_scope = 1; next }
!inside && /^#/ { last_program = 0 }  # A text block under another heading belongs to nothing above.

END {
    if (inside) { print file ":" start ": this block is not closed" > "/dev/stderr"; exit 1 }
}
