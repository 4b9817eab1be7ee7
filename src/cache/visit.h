// Walking all pages of a root.
#pragma once

#include <vector>

#include "cache/page.h"

namespace kvc {

// Visits the pages of a treap and of all that continues them, parents before children. False: visit stopped it. With
// the index lock held.
template <typename Visit>
bool visit_pages(Page* treap, Visit& visit) {
  // Treaps are as deep as a logarithm and recursed into; chains may be long and are gone along in a list.
  std::vector<Page*> waiting;
  if (treap != nullptr) waiting.push_back(treap);
  while (!waiting.empty()) {
    Page* page = waiting.back();
    waiting.pop_back();
    if (!visit(*page)) return false;
    if (page->right != nullptr) waiting.push_back(page->right);
    if (page->left != nullptr) waiting.push_back(page->left);
    if (page->children != nullptr) waiting.push_back(page->children);
  }
  return true;
}

}  // namespace kvc
