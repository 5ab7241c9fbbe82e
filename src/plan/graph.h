// plan/graph.h - The edges of a plan by place: step i is plan.steps[i].
//
// For whatever looks at a plan often or whole: names are looked up once. Edges to steps that are
// not in the plan are left out, as everywhere. Threads: immutable.  Ownership: the plan outlives
// it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace lifeboat::plan {

struct Edge {
  std::size_t step;  // at the other end
  bool needed;       // the later step cannot do without the earlier one's output
};

class Graph {
 public:
  explicit Graph(const Plan& plan);

  std::size_t size() const { return before_.size(); }
  // What step i waits for, in the order of its `after`; what waits for it, in the order of the
  // file.
  const std::vector<Edge>& before(std::size_t i) const { return before_[i]; }
  const std::vector<Edge>& after(std::size_t i) const { return after_[i]; }
  // Respects all edges, ties in the order of the file. Steps on or behind a cycle are not in it.
  const std::vector<std::size_t>& order() const { return order_; }
  std::optional<std::size_t> place(std::string_view step) const;

 private:
  std::vector<std::vector<Edge>> before_, after_;
  std::vector<std::size_t> order_;
  std::map<std::string_view, std::size_t> places_;
};

}  // namespace lifeboat::plan
