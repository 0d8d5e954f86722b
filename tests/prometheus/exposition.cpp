// SPDX-License-Identifier: BSL-1.0
#include "exposition.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <set>
#include <stdexcept>
#include <utility>

namespace prometheus_test {

namespace {

class reader {
  public:
    explicit reader(std::string_view text) : text_{text} {}

    std::vector<family> read() {
        while (at_ != text_.size()) {
            ++line_;
            if (take("# HELP "))
                help();
            else if (take("# TYPE "))
                type();
            else
                one_sample();
        }
        return std::move(made_);
    }

  private:
    [[noreturn]] void wrong(std::string const& what) const {
        throw std::runtime_error{"line " + std::to_string(line_) + ": " + what};
    }
    bool take(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }
    void need(std::string_view word) {
        if (!take(word)) wrong("expected '" + std::string{word} + "'");
    }
    std::string until(char end) {
        auto const found = text_.find(end, at_);
        if (found == std::string_view::npos) wrong("cut short");
        std::string made{text_.substr(at_, found - at_)};
        at_ = found + 1;
        if (made.find('\n') != std::string::npos) wrong("the line ends too early");
        return made;
    }
    std::string name() {
        auto const begin = at_;
        auto const letter = [](char one) {
            return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || one == '_';
        };
        while (at_ != text_.size() &&
               (letter(text_[at_]) || (at_ != begin && text_[at_] >= '0' && text_[at_] <= '9')))
            ++at_;
        if (at_ == begin) wrong("expected a name");
        return std::string{text_.substr(begin, at_ - begin)};
    }

    void help() {
        auto const of = name();
        need(" ");
        if (!families_.insert(of).second) wrong("the family " + of + " is there twice");
        made_.push_back({of, until('\n'), {}, {}});
    }
    void type() {
        auto const of = name();
        need(" ");
        if (made_.empty() || made_.back().name != of || !made_.back().type.empty())
            wrong("a type that no help goes before");
        made_.back().type = until('\n');
    }
    std::string quoted() {
        need("\"");
        std::string made;
        while (true) {
            if (at_ == text_.size() || text_[at_] == '\n') wrong("a value that has no end");
            auto const letter = text_[at_++];
            if (letter == '"') return made;
            if (letter != '\\') {
                made += letter;
                continue;
            }
            if (take("\\"))
                made += '\\';
            else if (take("\""))
                made += '"';
            else if (take("n"))
                made += '\n';
            else
                wrong("an escape that there is not");
        }
    }
    double number() {
        auto const word = until('\n');
        if (word == "+Inf") return std::numeric_limits<double>::infinity();
        if (word == "-Inf") return -std::numeric_limits<double>::infinity();
        if (word == "NaN" || word == "Nan") return std::numeric_limits<double>::quiet_NaN();
        char* end = nullptr;
        auto const value = std::strtod(word.c_str(), &end);
        if (word.empty() || *end != '\0') wrong("no number: " + word);
        return value;
    }
    void one_sample() {
        sample one;
        one.name = name();
        if (take("{")) {
            while (!take("}")) {
                auto const of = name();
                need("=");
                if (!one.labels.emplace(of, quoted()).second) wrong("a label that is there twice");
                if (!take(",") && text_.substr(at_, 1) != "}") wrong("expected , or }");
            }
        }
        need(" ");
        one.value = number();
        if (made_.empty() || made_.back().type.empty()) wrong("a sample of no family");
        auto& of = made_.back();
        auto const rest = one.name.substr(0, of.name.size()) == of.name
                              ? one.name.substr(of.name.size())
                              : std::string{"?"};
        auto const is_histogram = of.type == "histogram";
        auto const has_parts = is_histogram || of.type == "summary";
        auto const is_part = has_parts && (rest == "_sum" || rest == "_count");
        if (!is_part && rest != (is_histogram ? "_bucket" : "")) wrong(one.name + " is misplaced");
        if (!series_.insert(one.series()).second) wrong(one.series() + " is there twice");
        of.samples.push_back(std::move(one));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int line_ = 0;
    std::vector<family> made_;
    std::set<std::string> families_;
    std::set<std::string> series_;
};

}  // namespace

std::string sample::series() const {
    auto made = name;
    auto open = '{';
    for (auto const& [label, text] : labels) {
        ((made += std::exchange(open, ',')) += label) += "=\"";
        for (auto const letter : text) {
            if (letter == '"' || letter == '\\') made += '\\';
            if (letter == '\n')
                made += "\\n";
            else
                made += letter;
        }
        made += '"';
    }
    return labels.empty() ? made : made + '}';
}

std::vector<family> read_exposition(std::string_view text) { return reader{text}.read(); }

std::map<std::string, double> by_series(std::vector<family> const& families) {
    std::map<std::string, double> all;
    for (auto const& one : families)
        for (auto const& it : one.samples) all.emplace(it.series(), it.value);
    return all;
}

}  // namespace prometheus_test
